//! `annals stats`: how many, of what, when.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use annals_engine::TenantScope;
use annals_query::{Query, Stats, StatsRequest, stats};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::client::{Client, push_parameter};
use crate::failure::{Failure, Result, while_doing};
use crate::filters::{Filters, field, filter_name};
use crate::report::harmless;
use crate::span::parse_span;
use crate::store::{Target, open_existing};
use crate::terminal::{columns, cut, grouped, out};

const BAR_WIDTH: usize = 40;
/// What a bar keeps where values are long and the terminal is narrow.
const BAR_WIDTH_MIN: usize = 12;

/// Count the events that match: in all, by field, over time. Counts are exact.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals stats --by event_type --by severity
  annals stats --filter status=failure --interval 1d --output json
  ANNALS_KEY=... annals stats --url http://127.0.0.1:8080 --by realm_id --limit 5")]
pub(crate) struct StatsCommand {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filters: Filters,
    /// Count the values of this field; may be repeated
    #[arg(long, value_name = "FIELD")]
    by: Vec<String>,
    /// Values to show of each field, the most frequent first
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Count over time, in steps such as 15m, 1h or 1d
    #[arg(long, value_name = "STEP")]
    interval: Option<String>,
    /// The form
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Table,
    /// One JSON document, as the native API answers
    Json,
}

pub(crate) fn run(command: &StatsCommand) -> Result<ExitCode> {
    let answer = match command.target.client()? {
        Some(client) => remote(command, &client)?,
        None => local(command, command.target.directory())?,
    };
    let mut out = out();
    match command.output {
        Output::Json => writeln!(out, "{answer}")?,
        Output::Table => write_table(&mut out, &answer, columns().unwrap_or(usize::MAX))?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn local(command: &StatsCommand, directory: &Path) -> Result<Value> {
    let by = command.by.iter().map(|name| field(name)).collect::<Result<Vec<_>>>()?;
    let interval_us = command.interval.as_deref().map(parse_interval).transpose()?;
    let request = StatsRequest { by, top: Some(command.limit), interval_us, split: None };
    let query = Query::new(&TenantScope::Unlimited).filter(command.filters.to_filter()?);
    let engine = open_existing(directory)?;
    let found = stats(&engine.snapshot(), &query, &request, &|| false)?;
    engine.close()?;
    Ok(to_json(&found))
}

fn remote(command: &StatsCommand, client: &Client) -> Result<Value> {
    let mut path = "/annals/v1/stats".to_owned();
    command.filters.push_parameters(&mut path)?;
    for name in &command.by {
        push_parameter(&mut path, "by", filter_name(field(name)?));
    }
    if !command.by.is_empty() {
        push_parameter(&mut path, "limit", &command.limit.to_string());
    }
    if let Some(interval) = &command.interval {
        parse_interval(interval)?;
        push_parameter(&mut path, "interval", interval);
    }
    serde_json::from_slice(&client.get(&path)?).map_err(while_doing("read the server's answer"))
}

/// The native API's form.
fn to_json(found: &Stats) -> Value {
    let by: Map<String, Value> = found
        .by
        .iter()
        .map(|(field, values)| {
            let counts: Map<String, Value> =
                values.iter().map(|(value, count)| (value.clone(), json!(count))).collect();
            (filter_name(*field).to_owned(), Value::Object(counts))
        })
        .collect();
    let histogram: Vec<Value> =
        found.histogram.iter().map(|(time_us, count)| json!({"time": time(*time_us), "count": count})).collect();
    json!({
        "total": found.total,
        "oldest": found.oldest_us.map(time),
        "newest": found.newest_us.map(time),
        "by": by,
        "histogram": histogram,
    })
}

fn time(time_us: i64) -> String {
    let mut shown = Vec::new();
    annals_json::write_micros(&mut shown, time_us);
    String::from_utf8_lossy(&shown).into_owned()
}

fn parse_interval(text: &str) -> Result<i64> {
    let span = parse_span(text).ok().and_then(|span| i64::try_from(span.as_micros()).ok());
    span.ok_or_else(|| Failure::new(format_args!("--interval {text:?} is no step: write 30s, 15m, 1h, 1d or 1w")))
}

/// `room` is the width of the terminal.
fn write_table(out: &mut impl Write, answer: &Value, room: usize) -> Result<()> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("none").to_owned();
    writeln!(out, "total   {}", grouped(answer.get("total").and_then(Value::as_u64).unwrap_or(0)))?;
    writeln!(out, "oldest  {}\nnewest  {}", text("oldest"), text("newest"))?;
    for (name, counts) in answer.get("by").and_then(Value::as_object).into_iter().flatten() {
        let mut rows: Vec<(String, u64)> = counts
            .as_object()
            .into_iter()
            .flatten()
            .map(|(value, count)| (value.clone(), count.as_u64().unwrap_or(0)))
            .collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        writeln!(out, "\n{name}")?;
        write_bars(out, &rows, room)?;
    }
    let buckets: Vec<(String, u64)> = answer
        .get("histogram")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|bucket| {
            let time = bucket.get("time").and_then(Value::as_str).unwrap_or_default();
            (time.to_owned(), bucket.get("count").and_then(Value::as_u64).unwrap_or(0))
        })
        .collect();
    if !buckets.is_empty() {
        writeln!(out, "\nover time")?;
        write_bars(out, &buckets, room)?;
    }
    Ok(())
}

fn write_bars(out: &mut impl Write, rows: &[(String, u64)], room: usize) -> Result<()> {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let counts: Vec<String> = rows.iter().map(|(_, count)| grouped(*count)).collect();
    let count_width = counts.iter().map(String::len).max().unwrap_or(0);
    // What a value and a bar share; the blanks between the columns are six.
    let room = room.saturating_sub(count_width + 6);
    let values: Vec<String> =
        rows.iter().map(|(value, _)| cut(&harmless(value), room.saturating_sub(BAR_WIDTH_MIN), true)).collect();
    let value_width = values.iter().map(|value| value.width()).max().unwrap_or(0);
    let bar_width = room.saturating_sub(value_width).min(BAR_WIDTH);
    for (value, (count, (_, number))) in values.iter().zip(counts.iter().zip(rows)) {
        let filled = u128::from(*number) * u128::try_from(bar_width).unwrap_or(0);
        let bar = "#".repeat(usize::try_from(filled.div_ceil(u128::from(most))).unwrap_or(0));
        let padding = " ".repeat(value_width.saturating_sub(value.width()));
        let line = format!("  {value}{padding}  {count:>count_width$}  {bar}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit() {
        for (text, expected) in [
            ("1h", Some(3_600_000_000)),
            ("15m", Some(900_000_000)),
            ("90s", Some(90_000_000)),
            ("2d", Some(172_800_000_000)),
            ("1w", Some(604_800_000_000)),
            ("1y", None),
            ("0h", None),
            ("h", None),
            ("5", None),
            ("-1d", None),
            ("4294967295w", None),
        ] {
            assert_eq!(parse_interval(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_table_shows_the_most_frequent_first() {
        let found = Stats {
            total: 1234,
            oldest_us: Some(0),
            newest_us: None,
            by: vec![(annals_engine::Field::RealmIds, vec![("b".to_owned(), 1000), ("a".to_owned(), 5)])],
            histogram: vec![(0, 3), (3_600_000_000, 0)],
            split: annals_query::Split::default(),
        };
        let mut out = Vec::new();
        write_table(&mut out, &to_json(&found), usize::MAX).unwrap();
        let bar = "#".repeat(40);
        let expected = format!(
            "total   1,234\noldest  1970-01-01T00:00:00.000000Z\nnewest  none\n\nrealm_id\n  b  1,000  {bar}\n  a      5  #\n\n\
             over time\n  1970-01-01T00:00:00.000000Z  3  {bar}\n  1970-01-01T01:00:00.000000Z  0\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    #[test]
    fn bars_fit_the_terminal() {
        let rows = [("語".repeat(60), 1_000_000), ("short".to_owned(), 3)];
        let mut out = Vec::new();
        write_bars(&mut out, &rows, 80).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.width() <= 80) && text.contains("…  1,000,000  ############"), "{text}");
    }
}
