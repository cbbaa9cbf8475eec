//! Runs many seeds, or each call of fixed scripts, and says how many crashes the store came through.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]
#![expect(clippy::disallowed_methods, reason = "how long it took is told, and nothing depends on it")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use annals_engine::Durability;
use annals_sim::{Counts, Fault, Figures, RunOptions, SCRIPTS, every_call, every_recovery, run};
use parking_lot::Mutex;

const USAGE: &str = "annals-sim [RUNS] [--from SEED] [--cuts N] [--jobs N] [--no-faults] [--fail-fast]
annals-sim --every [--variants N] [--jobs N]

Runs RUNS seeds (1,000), the first one SEED (0), or as many as it takes to cut the power N times. A failure names its
seed: `annals-sim 1 --from SEED` replays it. With --every: each call of fixed scripts fails, or is the last one before a
power cut, in turn; and so does each call of the recovery from that, two deep. N variants (4) of what a cut leaves.";

/// What to do.
struct Arguments {
    runs: u64,
    from: u64,
    cuts: Option<u64>,
    jobs: usize,
    every: bool,
    variants: u64,
    fail_fast: bool,
    options: RunOptions,
}

fn main() -> ExitCode {
    match parse() {
        Ok(arguments) if arguments.every => every(&arguments),
        Ok(arguments) => all(&arguments),
        Err(what) => {
            eprintln!("{what}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<Arguments, String> {
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = RunOptions::default();
    let mut arguments =
        Arguments { runs: 1_000, from: 0, cuts: None, jobs, every: false, variants: 4, fail_fast: false, options };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || number(&words.next().unwrap_or_default());
        match word.as_str() {
            "--from" => arguments.from = value()?,
            "--cuts" => {
                arguments.cuts = Some(value()?);
                arguments.runs = u64::MAX;
            }
            "--jobs" => arguments.jobs = usize::try_from(value()?.max(1)).unwrap_or(1),
            "--variants" => arguments.variants = value()?,
            "--every" => arguments.every = true,
            "--no-faults" => arguments.options.faults = false,
            "--fail-fast" => arguments.fail_fast = true,
            _ => arguments.runs = number(&word)?,
        }
    }
    Ok(arguments)
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

/// Runs `work` on all threads.
fn on_threads(jobs: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(&work);
        }
    });
}

fn all(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let (next, failures, sum) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(Figures::default()));
    on_threads(arguments.jobs, || {
        loop {
            let enough = arguments.cuts.is_some_and(|cuts| sum.lock().power_cuts >= cuts);
            if enough || (arguments.fail_fast && !failures.lock().is_empty()) {
                return;
            }
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= arguments.runs {
                return;
            }
            match run(arguments.from + index, arguments.options) {
                Ok(figures) => sum.lock().add(&figures),
                Err(failure) => {
                    sum.lock().add(&failure.figures);
                    eprintln!("{failure}");
                    failures.lock().push(failure);
                }
            }
        }
    });
    let (sum, failures) = (sum.into_inner(), failures.into_inner());
    let (runs, seconds) = (next.into_inner().min(arguments.runs), start.elapsed().as_secs_f64());
    let rate = per_second(sum.power_cuts, seconds);
    println!("{runs} runs from seed {}: {sum}; {seconds:.1} s, {rate:.0} power cuts/s", arguments.from);
    println!("{} runs failed", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn per_second(count: u64, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds.max(1e-9)
}

/// One thing that is tried on a thread.
enum Task {
    Call(&'static str, Durability, u64, Fault),
    Recovery(&'static str, Durability, u64, u32),
}

fn tasks(variants: u64) -> Vec<Task> {
    let mut tasks = Vec::new();
    for level in [Durability::Sync, Durability::Interval, Durability::Buffered] {
        for variant in 0..variants {
            // The longest first.
            for script in SCRIPTS.into_iter().take(2) {
                tasks.push(Task::Recovery(script, level, variant, 2));
            }
            for script in SCRIPTS.into_iter().skip(2) {
                tasks.push(Task::Recovery(script, level, variant, 1));
            }
            for script in SCRIPTS {
                let faults = std::iter::once(Fault::Crash).chain(Fault::FAILURES.into_iter().filter(|_| variant < 2));
                tasks.extend(faults.map(|fault| Task::Call(script, level, variant, fault)));
            }
        }
    }
    tasks
}

fn every(arguments: &Arguments) -> ExitCode {
    let (start, tasks) = (Instant::now(), tasks(arguments.variants));
    let (next, failures) = (AtomicU64::new(0), AtomicU64::new(0));
    let (calls, recoveries) = (Mutex::new(Counts::default()), Mutex::new(Counts::default()));
    on_threads(arguments.jobs, || {
        loop {
            let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
            let Some(task) = tasks.get(index) else { return };
            let (done, sum) = match *task {
                Task::Call(script, level, variant, fault) => (every_call(script, level, variant, fault), &calls),
                Task::Recovery(script, level, variant, depth) => {
                    (every_recovery(script, level, variant, depth), &recoveries)
                }
            };
            match done {
                Ok(counts) => sum.lock().add(&counts),
                Err(what) => {
                    eprintln!("{what}");
                    failures.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    let (calls, recoveries) = (calls.into_inner(), recoveries.into_inner());
    println!(
        "{} scripts, 3 levels, {} variants: {} plays with a call that went wrong, {} of them power cuts; {} power cuts at \
         calls of scripts and recoveries; {:.1} s",
        SCRIPTS.len(),
        arguments.variants,
        calls.plays,
        calls.power_cuts,
        recoveries.power_cuts,
        start.elapsed().as_secs_f64()
    );
    let failures = failures.into_inner();
    println!("{failures} of {} tasks failed", tasks.len());
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
