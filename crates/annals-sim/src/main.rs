//! Runs many seeds and says how many crashes the store came through.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use annals_sim::{Figures, RunOptions, run};
use parking_lot::Mutex;

const USAGE: &str = "annals-sim [RUNS] [--from SEED] [--no-faults]\n\nRuns RUNS seeds (1,000), the first one SEED (0).";

fn main() -> ExitCode {
    match parse() {
        Ok((runs, from, options)) => all(runs, from, options),
        Err(what) => {
            eprintln!("{what}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<(u64, u64, RunOptions), String> {
    let (mut runs, mut from, mut options) = (1_000, 0, RunOptions::default());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--from" => from = number(&words.next().unwrap_or_default())?,
            "--no-faults" => options.faults = false,
            _ => runs = number(&word)?,
        }
    }
    Ok((runs, from, options))
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

fn all(runs: u64, from: u64, options: RunOptions) -> ExitCode {
    let (next, failures, sum) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(Figures::default()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= runs {
                return;
            }
            match run(from + index, options) {
                Ok(figures) => add(&mut sum.lock(), &figures),
                Err(failure) => {
                    eprintln!("{failure}");
                    failures.lock().push(failure);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (sum, failures) = (sum.into_inner(), failures.into_inner());
    println!(
        "{runs} runs from seed {from}: {} power cuts ({} of them while opening), {} kills, {} closes, {} faults, \
         {} steps, {} events; {} runs failed",
        sum.power_cuts,
        sum.cuts_in_recovery,
        sum.kills,
        sum.closes,
        sum.faults,
        sum.steps,
        sum.events,
        failures.len()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn add(sum: &mut Figures, more: &Figures) {
    sum.power_cuts += more.power_cuts;
    sum.cuts_in_recovery += more.cuts_in_recovery;
    sum.kills += more.kills;
    sum.closes += more.closes;
    sum.faults += more.faults;
    sum.events += more.events;
    sum.steps += more.steps;
}
