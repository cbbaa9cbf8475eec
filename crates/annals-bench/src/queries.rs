//! The queries, and what makes two stores' answers comparable.

use annals_engine::{Engine, EventId, Field, Filter, TenantScope, TextField};
use annals_query::{Order, Query, Stats, StatsRequest, execute, stats};
use serde::Serialize;

use crate::arguments::{Arguments, RUNS};
use crate::error::{Error, Result};
use crate::ingest::wait_until_checked;
use crate::process::Stopwatch;
use crate::timing::Timings;

const DAY_US: i64 = 86_400_000_000;

/// Names of the queries and what each asks.
pub const QUERIES: [(&str, &str); 12] = [
    ("Q1", "newest 100 + total"),
    ("Q2", "common event_type, newest 100 + total"),
    ("Q3", "one resource_id, newest 100 + total"),
    ("Q4", "realm + type + one day, oldest 100 + total"),
    ("Q5", "common type at an offset, 100 rows + total"),
    ("Q6", "order by event_type, first 100 + total"),
    ("Q7", "statistics of everything"),
    ("Q8", "statistics of one realm, 7 days"),
    ("Q9", "get by id"),
    ("Q10 frequent", "substring of the message, newest 50 + total"),
    ("Q10 rare", "substring of the message, newest 50 + total"),
    ("Q10 number", "in the message, newest 50 + total"),
];

/// What one query gave over all its runs. Sums are the same for every store that answers right.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Its name in [`QUERIES`].
    pub name: String,
    /// Times of the runs.
    #[serde(flatten)]
    pub timings: Timings,
    /// Totals, summed.
    pub totals: u64,
    /// Rows returned, all runs together; of statistics the groups.
    pub rows: u64,
    /// `created_at` in microseconds of all rows returned, summed without the overflow; of statistics the
    /// oldest and the newest. Rows at the same time may change places.
    pub times: i64,
}

/// Runs every query [`RUNS`] times with its arguments in turn; none if there are no arguments for it. A
/// round without a clock comes first, with other arguments where there are enough: warm medians are wanted, but
/// not of what was answered before.
///
/// # Errors
/// What the query says.
pub fn run_queries(engine: &Engine, arguments: &Arguments) -> Result<Vec<Answer>> {
    wait_until_checked(engine);
    QUERIES.iter().map(|(name, _)| run_query(engine, arguments, name)).collect()
}

fn run_query(engine: &Engine, arguments: &Arguments, name: &str) -> Result<Answer> {
    let mut answer = Answer { name: name.to_owned(), timings: Timings::default(), totals: 0, rows: 0, times: 0 };
    let mut times = Vec::new();
    for is_timed in [false, true] {
        for run in 0..RUNS {
            let stopwatch = Stopwatch::start();
            let Some(asked) = ask(arguments, name, if is_timed { run } else { RUNS + run })? else {
                return Ok(answer);
            };
            let (total, rows, sum_us) = asked.run(engine)?;
            let elapsed_ms = stopwatch.wall_ms();
            if is_timed {
                times.push(elapsed_ms);
                answer.totals += total;
                answer.rows += rows;
                answer.times = answer.times.wrapping_add(sum_us);
            }
        }
    }
    answer.timings = Timings::new(times);
    Ok(answer)
}

/// One run of a query. Building it is timed: other stores bind their values on the clock too.
#[derive(Clone, Debug)]
enum Asked {
    Page(Query),
    Stats(Query),
    Get(EventId),
}

fn ask(arguments: &Arguments, name: &str, run: usize) -> Result<Option<Asked>> {
    let all = || Query::new(&TenantScope::Unlimited).limit(100);
    let typed = |event_type: &String| all().filter(Filter::term(Field::EventType, event_type));
    let holding =
        |text: &String| Asked::Page(all().filter(Filter::Contains(TextField::Message, text.clone())).limit(50));
    Ok(match name {
        "Q1" => Some(Asked::Page(all())),
        "Q2" => pick(&arguments.common_types, run).map(|event_type| Asked::Page(typed(event_type))),
        "Q3" => pick(&arguments.resources, run)
            .map(|resource| Asked::Page(all().filter(Filter::term(Field::ResourceId, resource)))),
        "Q4" => pick(&arguments.realm_type_days, run).map(|(realm, event_type, day_us)| {
            let filter = Filter::term(Field::RealmIds, realm)
                .and(Filter::term(Field::EventType, event_type))
                .and(Filter::created_between(*day_us, day_us + DAY_US));
            Asked::Page(all().filter(filter).order(Order::CreatedAtAsc))
        }),
        "Q5" => pick(&arguments.deep_types, run)
            .map(|event_type| Asked::Page(typed(event_type).offset(arguments.deep_offset))),
        "Q6" => Some(Asked::Page(all().order(Order::EventTypeAsc))),
        "Q7" => Some(Asked::Stats(all())),
        "Q8" => pick(&arguments.realm_weeks, run).map(|(realm, start_us)| {
            let week = Filter::created_between(*start_us, start_us + 7 * DAY_US);
            Asked::Stats(all().filter(Filter::term(Field::RealmIds, realm).and(week)))
        }),
        "Q9" => match pick(&arguments.ids, run) {
            None => None,
            Some(id) => Some(Asked::Get(id.parse::<EventId>()?)),
        },
        "Q10 frequent" => pick(&arguments.frequent_words, run).map(holding),
        "Q10 rare" => pick(&arguments.rare_texts, run).map(holding),
        "Q10 number" => pick(&arguments.numbers, run).map(holding),
        other => return Err(Error::new(format_args!("there is no query {other}"))),
    })
}

fn pick<T>(list: &[T], run: usize) -> Option<&T> {
    list.get(run.checked_rem(list.len())?)
}

impl Asked {
    /// Total, rows and the sum of their times.
    fn run(&self, engine: &Engine) -> Result<(u64, u64, i64)> {
        let never = || false;
        match self {
            Asked::Page(query) => {
                let page = execute(&engine.snapshot(), query, &never)?;
                let sum_us = page.events.iter().fold(0_i64, |sum, event| sum.wrapping_add(event.created_at_us));
                Ok((page.total.unwrap_or(0), u64::try_from(page.events.len()).unwrap_or(0), sum_us))
            }
            Asked::Stats(query) => {
                let by = vec![Field::EventType, Field::ResourceType];
                let request = StatsRequest { by, ..StatsRequest::default() };
                let found: Stats = stats(&engine.snapshot(), query, &request, &never)?;
                let groups = found.by.iter().map(|(_, values)| values.len()).sum::<usize>();
                let sum_us = found.oldest_us.unwrap_or(0).wrapping_add(found.newest_us.unwrap_or(0));
                Ok((found.total, u64::try_from(groups).unwrap_or(0), sum_us))
            }
            Asked::Get(id) => {
                let event = engine.get(*id)?;
                let found = u64::from(event.is_some());
                Ok((found, found, event.map_or(0, |event| event.created_at_us)))
            }
        }
    }
}

/// The second query with one event type: what a mixed load asks.
pub(crate) fn common_type_page(engine: &Engine, event_type: &str) -> Result<()> {
    let filter = Filter::term(Field::EventType, event_type);
    Asked::Page(Query::new(&TenantScope::Unlimited).limit(100).filter(filter)).run(engine).map(|_| ())
}
