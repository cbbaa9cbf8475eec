//! Retention of one's own: debug events for a day, everything else for ninety, and a case that is kept.
//!
//! `cargo run -p annals-engine --example custom_retention`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use annals_engine::{AppendOptions, Batch, Delete, Engine, Event, Field, Filter, Options, Result};

const DAY_US: i64 = 24 * 3600 * 1_000_000;

fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = Options::new(folder.path());
    options.log_size_bytes = 4 << 20;
    let engine = Engine::open(options)?;
    let now_us = engine.options().clock.now_us();
    fill(&engine, now_us)?;

    // Nothing below removes what a hold keeps.
    engine.place_hold("case 7", &Filter::term(Field::UserId, "mallory"))?;
    let debug = Filter::term(Field::Severity, "debug").and(Filter::created_between(i64::MIN, now_us - DAY_US));
    println!("debug events older than a day: {}", engine.delete(&Delete::Matching(debug))?);
    // Whole segments are dropped without being read: forgetting by time costs one commit.
    let old = Delete::CreatedBefore(now_us - 90 * DAY_US);
    println!("everything older than ninety days: {}", engine.delete(&old)?);
    println!("left: {}", engine.stats().events);
    assert_eq!(engine.stats().events, 30 + 91 + 10);

    engine.release_hold("case 7")?;
    println!("behind the release: {}", engine.delete(&old)?);
    assert_eq!(engine.stats().events, 30 + 91);
    engine.close()
}

/// A hundred days of one event each, debug events of the last 2 days, and ten old ones of a case.
fn fill(engine: &Engine, now_us: i64) -> Result<()> {
    let mut batch = Batch::new();
    let mut push = |severity, user, created_at_us| {
        let mut event = Event::new("job.done");
        event.set(Field::Severity, severity).set(Field::UserId, user);
        event.created_at_us = Some(created_at_us);
        batch.push(&event)
    };
    for day in 0..100 {
        push("info", "ada", now_us - day * DAY_US)?;
    }
    for hour in 0..60 {
        // Thirty of the last day, thirty of the one before.
        push("debug", "ada", now_us - hour * (DAY_US / 30) - 1)?;
    }
    for day in 200..210 {
        push("info", "mallory", now_us - day * DAY_US)?;
    }
    engine.append(batch, &AppendOptions::default()).map(|_| ())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
