//! What every command says of itself.

use clap::{Command, CommandFactory};

use crate::Cli;

/// Each command and each of their own, with its name as it is typed.
fn walk(command: &Command, name: &str, visit: &mut impl FnMut(&Command, &str)) {
    visit(command, name);
    for below in command.get_subcommands() {
        walk(below, &format!("{name} {}", below.get_name()), visit);
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples_and_fits_a_terminal() {
    let mut cli = Cli::command().term_width(80);
    cli.build();
    let mut wrong = Vec::new();
    walk(&cli, "annals", &mut |command, name| {
        let mut command = command.clone();
        for help in [command.render_help().to_string(), command.render_long_help().to_string()] {
            let examples = help.split_once("Examples:\n").map_or("", |(_, behind)| behind);
            let is_own = |line: &str| line.contains(name);
            if !examples.lines().any(is_own) {
                wrong.push(format!("{name}: no example of it"));
            }
            wrong.extend(help.lines().filter(|line| line.chars().count() > 80).map(|line| format!("{name}: {line}")));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_flag_says_what_it_is_for() {
    let mut cli = Cli::command();
    cli.build();
    walk(&cli, "annals", &mut |command, name| {
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {}", argument.get_id());
        }
    });
}
