//! What is asked: drawn from the events, the same for every store.

use std::hash::{BuildHasher, BuildHasherDefault};

use annals_engine::{Event, Field};
use hashbrown::HashMap;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::workload::Workload;

/// Runs of each query, each with other arguments where it takes any.
pub const RUNS: usize = 25;

/// So many arguments are drawn for each: the runs on the clock take the first ones, those before the clock the
/// others, so that no answer is at hand because it was asked for before.
const DRAWN: usize = 2 * RUNS;

/// Events looked at to choose arguments.
const SAMPLE: usize = 2_000_000;
/// Messages looked at to choose what to search for.
const MESSAGES: usize = 200_000;
const DAY_US: i64 = 86_400_000_000;
/// Matches of one resource in two million events.
const RESOURCE_MATCHES: u64 = 150;
/// Of so many messages, one has a word that counts as frequent.
const FREQUENT_ONE_IN: u64 = 65;
/// The same of a number.
const NUMBER_ONE_IN: u64 = 10_000;
const DEEP_OFFSET: u64 = 200_000;

/// Arguments of the queries and deletes; of each query up to as many again as it is run, or the few there are.
#[derive(Clone, Debug, Serialize)]
pub struct Arguments {
    /// Q2: the most frequent event types.
    pub common_types: Vec<String>,
    /// Q3: resources with about 150 matches in two million events.
    pub resources: Vec<String>,
    /// Q4: realm, event type and the start of a day.
    pub realm_type_days: Vec<(String, String, i64)>,
    /// Q5: event types, and an offset that each of them reaches.
    pub deep_types: Vec<String>,
    /// Q5: 200,000 or what the events allow.
    pub deep_offset: u64,
    /// Q8: realm and the start of a week.
    pub realm_weeks: Vec<(String, i64)>,
    /// Q9: ids as 24 hex digits or as UUIDs.
    pub ids: Vec<String>,
    /// Q10: words of about one message in 65.
    pub frequent_words: Vec<String>,
    /// Q10: two words in a row, and numbers.
    pub rare_texts: Vec<String>,
    /// Q10: numbers of 3 to 8 digits that about one message in 10,000 has.
    pub numbers: Vec<String>,
    /// Whether a search must not tell upper from lower case: no message has an upper-case letter if not.
    pub any_case: bool,
    /// D1: everything before this goes, about a third.
    pub drop_before_us: i64,
    /// D2: of this resource type...
    pub delete_type: String,
    /// ...everything before this.
    pub delete_before_us: i64,
}

/// A counter per text, keyed by its hash: texts are looked up again by the position where they were met.
type Counts = HashMap<u64, (u64, usize)>;

impl Arguments {
    /// Draws them.
    ///
    /// # Errors
    /// There are no events.
    pub fn draw(workload: &Workload) -> Result<Self> {
        if workload.is_empty() {
            return Err(Error::new("there are no events to ask for"));
        }
        let positions = (0..workload.len()).step_by(workload.len().div_ceil(SAMPLE));
        let (mut types, mut resources, mut kinds) = (Counts::new(), Counts::new(), Counts::new());
        let mut times = Vec::new();
        for position in positions {
            workload.with_event(position, |event| {
                for (field, counts) in [
                    (Field::EventType, &mut types),
                    (Field::ResourceId, &mut resources),
                    (Field::ResourceType, &mut kinds),
                ] {
                    if let Some(value) = event.get(field) {
                        counts.entry(hash(value)).or_insert((0, position)).0 += 1;
                    }
                }
                times.push(event.created_at_us.unwrap_or(0));
            });
        }
        let sample = u64::try_from(times.len()).unwrap_or(u64::MAX);
        let scale = u64::try_from(workload.len()).unwrap_or(u64::MAX).div_ceil(sample.max(1));
        let text = |field: Field, position: usize| {
            workload.with_event(position, |event| event.get(field).unwrap_or_default().to_owned()).unwrap_or_default()
        };
        let by_count = frequent_first(&types);
        let names = |list: &[(u64, usize)]| -> Vec<String> {
            list.iter().map(|(_, position)| text(Field::EventType, *position)).collect()
        };
        let common: Vec<(u64, usize)> = by_count.iter().take(5).copied().collect();
        let most = common.first().map_or(0, |(count, _)| count * scale);
        let deep_offset = DEEP_OFFSET.min(most / 2);
        let deep: Vec<(u64, usize)> =
            common.iter().filter(|(count, _)| count * scale > deep_offset + deep_offset / 20).copied().collect();
        let wanted = (RESOURCE_MATCHES * sample / 2_000_000).max(1);
        let chosen = nearest(&resources, wanted);
        let Searched { frequent_words, rare_texts, numbers, any_case } = Searched::draw(workload);
        let (drop_before_us, delete_before_us) = cutoffs(times);
        let kind =
            frequent_first(&kinds).get(2).or(frequent_first(&kinds).first()).map_or(0, |(_, position)| *position);
        Ok(Self {
            common_types: names(&common),
            resources: chosen.iter().map(|position| text(Field::ResourceId, *position)).collect(),
            realm_type_days: spread(workload, |event| {
                let realm = event.realm_ids.get(0)?.to_owned();
                Some((realm, event.get(Field::EventType)?.to_owned(), day_of(event)))
            }),
            deep_types: names(&deep),
            deep_offset,
            realm_weeks: spread(workload, |event| Some((event.realm_ids.get(0)?.to_owned(), day_of(event)))),
            ids: spread(workload, |event| event.id.map(|id| id.as_hex24().unwrap_or_else(|| id.to_string()))),
            frequent_words,
            rare_texts,
            numbers,
            any_case,
            drop_before_us,
            delete_type: text(Field::ResourceType, kind),
            delete_before_us,
        })
    }
}

fn hash(text: &str) -> u64 {
    BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(text)
}

fn day_of(event: &Event<'_>) -> i64 {
    event.created_at_us.unwrap_or(0).div_euclid(DAY_US) * DAY_US
}

fn frequent_first(counts: &Counts) -> Vec<(u64, usize)> {
    let mut list: Vec<(u64, usize)> = counts.values().copied().collect();
    list.sort_by_key(|(count, position)| (std::cmp::Reverse(*count), *position));
    list
}

/// Where values were met whose counts come nearest to the one that is wanted.
fn nearest(counts: &Counts, wanted: u64) -> Vec<usize> {
    let mut list: Vec<(u64, usize)> = counts.values().map(|(count, at)| (count.abs_diff(wanted), *at)).collect();
    list.sort_unstable();
    list.into_iter().take(DRAWN).map(|(_, position)| position).collect()
}

/// One value for each run, on the clock or before it, of events all over the place.
fn spread<T>(workload: &Workload, of: impl Fn(&Event<'_>) -> Option<T>) -> Vec<T> {
    let step = workload.len().div_ceil(4 * RUNS).max(1);
    let found = (0..4 * RUNS).map(|number| (number * 37 % (4 * RUNS)) * step + step / 2);
    found.filter_map(|position| workload.with_event(position, &of).flatten()).take(DRAWN).collect()
}

/// The bound of the oldest third and the bound of the oldest two thirds: at a day's start where the events
/// reach over several days.
fn cutoffs(mut times: Vec<i64>) -> (i64, i64) {
    times.sort_unstable();
    let at = |part: usize| {
        let time_us = times.get(times.len() * part / 3).copied().unwrap_or(0);
        let day_us = time_us.div_euclid(DAY_US) * DAY_US;
        if times.first().is_some_and(|first| *first < day_us) { day_us } else { time_us }
    };
    (at(1), at(2))
}

/// What messages are searched for.
struct Searched {
    frequent_words: Vec<String>,
    rare_texts: Vec<String>,
    numbers: Vec<String>,
    any_case: bool,
}

impl Searched {
    fn draw(workload: &Workload) -> Self {
        let (mut words, mut numbers) = (HashMap::new(), HashMap::new());
        let (mut messages, mut any_case) = (0_u64, false);
        for position in (0..workload.len()).step_by(workload.len().div_ceil(MESSAGES)) {
            workload.with_event(position, |event| {
                let message = event.message.unwrap_or_default();
                any_case |= message.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase());
                messages += 1;
                for word in message.split(' ').filter(|word| is_word(word)) {
                    *words.entry_ref(word).or_insert(0) += 1;
                }
                let runs = message.split(|c: char| !c.is_ascii_digit());
                for number in runs.filter(|run| (3..=8).contains(&run.len())) {
                    *numbers.entry_ref(number).or_insert(0) += 1;
                }
            });
        }
        Self {
            frequent_words: texts_nearest(&words, messages / FREQUENT_ONE_IN),
            rare_texts: rare_texts(workload),
            numbers: texts_nearest(&numbers, (messages / NUMBER_ONE_IN).max(1)),
            any_case,
        }
    }
}

/// Texts whose counts come nearest to the one that is wanted.
fn texts_nearest(counts: &HashMap<String, u64>, wanted: u64) -> Vec<String> {
    let mut list: Vec<(u64, &String)> = counts.iter().map(|(text, count)| (count.abs_diff(wanted), text)).collect();
    list.sort_unstable();
    list.into_iter().take(DRAWN).map(|(_, text)| text.clone()).collect()
}

/// Two words in a row and numbers that stand alone, in turn.
fn rare_texts(workload: &Workload) -> Vec<String> {
    let phrases = spread(workload, |event| {
        let mut words = event.message?.split(' ').filter(|word| !word.is_empty());
        Some(format!("{} {}", words.nth(1)?, words.next()?))
    });
    let numbers = spread(workload, |event| {
        let is_number = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
        event.message?.split(' ').find(is_number).map(str::to_owned)
    });
    let (mut phrases, mut numbers) = (phrases.into_iter(), numbers.into_iter());
    let mut rare = Vec::new();
    while rare.len() < DRAWN {
        let before = rare.len();
        rare.extend(phrases.next());
        rare.extend(numbers.next());
        if rare.len() == before {
            break;
        }
    }
    rare.truncate(DRAWN);
    rare
}

/// Words that say something: other words seldom hold them.
fn is_word(word: &str) -> bool {
    word.len() >= 5 && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}
