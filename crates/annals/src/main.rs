//! The command line: a server, an import, queries, and checks of a store.
#![forbid(unsafe_code)]

mod backup;
mod bench;
mod build;
mod client;
mod compact;
mod config;
mod counting;
mod export;
mod failure;
mod filters;
mod generate;
mod grant;
mod health;
mod hidden;
mod holds;
mod import;
mod inspect;
mod keys;
mod log;
mod open_files;
mod pages;
mod query;
mod repair;
mod report;
mod restore;
mod retention;
mod serve;
mod service;
mod settings;
mod shell;
mod signals;
mod source;
mod span;
mod stats;
mod store;
mod table;
mod tail;
mod terminal;
mod trust;
mod users;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::failure::Failure;

/// An event database: keeps millions of events a second, finds them at once, and says how many there
/// are exactly.
#[derive(Debug, Parser)]
#[command(name = "annals", version = build::SHORT, long_version = build::LONG, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  annals serve --demo                  a server with 100,000 events to look at
  annals import --data ./annals-data logs.ndjson.zst
  annals query --data ./annals-data --event-type user.login --from 2026-01-01
  annals stats --data ./annals-data --by event_type
  annals tail --url http://127.0.0.1:8080 --filter severity=error
  annals export --data ./annals-data all.parquet

Commands take a store's directory (--data) or, most of them, a running server
(--url, with the key in ANNALS_KEY). They exit with 0 if it is done, 1 after an
error, 2 if something is damaged, 64 if the command line is wrong, 130 after
Ctrl-C. `annals COMMAND --help` shows the settings of a command, with examples.";

/// The command line is wrong (`EX_USAGE` of sysexits.h): 2, which clap would take, is for damage.
const EXIT_USAGE: u8 = 64;

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Config(config::Config),
    Health(health::Health),
    Import(import::Import),
    Export(export::Export),
    Query(query::QueryCommand),
    Stats(stats::StatsCommand),
    Tail(tail::Tail),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Backup(backup::BackupCommand),
    Restore(restore::RestoreCommand),
    Repair(repair::Repair),
    Compact(compact::Compact),
    Retention(retention::Retention),
    Holds(holds::Holds),
    Keys(keys::Keys),
    Users(users::Users),
    Generate(generate::Generate),
    Bench(bench::Bench),
    Completions(shell::Completions),
    Man(shell::Man),
}

fn main() -> ExitCode {
    open_files::allow_many();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked_for_help) if !asked_for_help.use_stderr() => asked_for_help.exit(),
        Err(mistake) => {
            // Nobody is left to tell if even that fails. `exit` would give the code of damage.
            let _ = mistake.print();
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let outcome = match cli.command {
        Command::Serve(command) => serve::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Health(command) => health::run(&command),
        Command::Import(command) => import::run(&command),
        Command::Export(command) => export::run(&command),
        Command::Query(command) => query::run(&command),
        Command::Stats(command) => stats::run(&command),
        Command::Tail(command) => tail::run(&command),
        Command::Inspect(command) => inspect::run(&command),
        Command::Verify(command) => verify::run(&command),
        Command::Backup(command) => backup::run(&command),
        Command::Restore(command) => restore::run(&command),
        Command::Repair(command) => repair::run(&command),
        Command::Compact(command) => compact::run(&command),
        Command::Retention(command) => retention::run(&command),
        Command::Holds(command) => holds::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Users(command) => users::run(&command),
        Command::Generate(command) => generate::run(&command),
        Command::Bench(command) => bench::run(&command),
        Command::Completions(command) => shell::completions(&command, Cli::command()),
        Command::Man(command) => shell::man(&command, Cli::command()),
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
mod help_tests;
