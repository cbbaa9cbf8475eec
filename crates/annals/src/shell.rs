//! `annals completions` and `annals man`: what a shell and `man` want to know of the command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::{Result, while_doing};
use crate::terminal::{out, say};

/// Write what makes a shell complete `annals` to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals completions bash > ~/.local/share/bash-completion/completions/annals
  annals completions zsh > \"${fpath[1]}/_annals\"
  annals completions fish > ~/.config/fish/completions/annals.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages into a folder: annals.1 and one for each command.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals man ~/.local/share/man/man1
  annals man ./man && man ./man/annals-export.1")]
pub(crate) struct Man {
    /// The folder; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn completions(command: &Completions, mut cli: Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut cli, "annals", &mut script);
    let mut out = out();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(command: &Man, cli: Command) -> Result<ExitCode> {
    let folder = &command.folder;
    let failed = || while_doing::<std::io::Error>(format!("write manual pages into {}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed())?;
    clap_mangen::generate_to(cli, folder).map_err(failed())?;
    say(format_args!("the manual pages are in {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, ValueEnum as _};

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut crate::Cli::command(), "annals", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("export") && script.contains("event-type"), "{shell}");
        }
    }

    #[test]
    fn every_command_gets_a_manual_page() {
        let folder = tempfile::tempdir().unwrap();
        man(&Man { folder: folder.path().join("man1") }, crate::Cli::command()).unwrap();
        for command in crate::Cli::command().get_subcommands() {
            let page = folder.path().join("man1").join(format!("annals-{}.1", command.get_name()));
            assert!(std::fs::read_to_string(page).unwrap().contains("Examples"), "{}", command.get_name());
        }
    }
}
