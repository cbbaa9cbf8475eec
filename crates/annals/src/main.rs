//! The command line: a server, an import, queries, and checks of a store.
#![forbid(unsafe_code)]

mod backup;
mod bench;
mod client;
mod config;
mod failure;
mod filters;
mod generate;
mod hidden;
mod import;
mod log;
mod open_files;
mod query;
mod repair;
mod report;
mod restore;
mod serve;
mod settings;
mod signals;
mod source;
mod span;
mod stats;
mod store;
mod terminal;
mod users;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// An event database: keeps millions of events a second, finds them at once, and says how many there
/// are exactly.
#[derive(Debug, Parser)]
#[command(name = "annals", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  annals serve --demo                          a server with 100,000 events to look at
  annals import --data ./annals-data logs.ndjson.zst
  annals query --data ./annals-data --event-type user.login --from 2026-01-01
  annals stats --data ./annals-data --by event_type

`annals COMMAND --help` shows the settings of a command, with examples.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Config(config::Config),
    Import(import::Import),
    Query(query::QueryCommand),
    Stats(stats::StatsCommand),
    Verify(verify::Verify),
    Backup(backup::BackupCommand),
    Restore(restore::RestoreCommand),
    Repair(repair::Repair),
    Users(users::Users),
    Generate(generate::Generate),
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    open_files::allow_many();
    let outcome = match Cli::parse().command {
        Command::Serve(command) => serve::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Import(command) => import::run(&command),
        Command::Query(command) => query::run(&command),
        Command::Stats(command) => stats::run(&command),
        Command::Verify(command) => verify::run(&command),
        Command::Backup(command) => backup::run(&command),
        Command::Restore(command) => restore::run(&command),
        Command::Repair(command) => repair::run(&command),
        Command::Users(command) => users::run(&command),
        Command::Generate(command) => generate::run(&command),
        Command::Bench(command) => bench::run(&command),
    };
    match outcome {
        Ok(code) => code,
        // Whoever read our output has seen enough.
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Message(message)) => {
            terminal::say(format_args!("annals: {message}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
