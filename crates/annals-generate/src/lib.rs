//! Plausible events from a seed: the same seed, count and end always give the same events.
//!
//! A made-up hosting company: 64 event types (Zipf 1.1), 12 resource types, 200,000 resources (Zipf
//! 1.05), 100,000 users, 1 to 3 of 1,000 realms, 10,000 projects, over 90 days, slightly out of order,
//! about 560 bytes each as NDJSON. Generated events flatter a store; real ones decide.
//!
//! ```
//! let mut generator = annals_generate::Generator::new(1, 1000, 1_700_000_000_000_000);
//! let mut lines = Vec::new();
//! while generator.write_line(&mut lines) {}
//! assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 1000);
//! ```
#![forbid(unsafe_code)]

mod random;
mod words;

use std::fmt::Write as _;

use annals_engine::{Event, Field};

use crate::random::{Random, Zipf, mix};
use crate::words::{EVENT_TYPES, IMAGES, REGIONS, RESOURCE_TYPES, USER_AGENTS, WORDS};

/// Different resources.
pub const RESOURCES: u32 = 200_000;
/// Different users.
pub const USERS: u32 = 100_000;
/// Different realms.
pub const REALMS: u32 = 1_000;
/// Different projects.
pub const PROJECTS: u32 = 10_000;
/// The time over which the events are spread: 90 days.
pub const SPAN_US: i64 = 90 * 24 * 3_600_000_000;

/// One event in this many arrives late.
const LATE_ONE_IN: u32 = 200;
/// How far a late event and any other may fall back, in places.
const LATE_PLACES_MAX: u32 = 500;
const JITTER_PLACES_MAX: u32 = 4;
const US_PER_MS: i64 = 1000;
/// What tells the ids of one kind of thing from those of another.
const RESOURCE_SALT: u64 = 0x7265_736f;
const USER_SALT: u64 = 0x7573_6572;
const PROJECT_SALT: u64 = 0x7072_6f6a;
const REALM_SALT: u64 = 0x7265_616c;

/// Makes events one after the other.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    event_types: Zipf,
    resources: Zipf,
    count: u64,
    made: u64,
    end_us: i64,
    current: Current,
}

/// The texts of the event made last, in buffers that are used again.
#[derive(Clone, Debug, Default)]
struct Current {
    created_at_us: i64,
    event_type: &'static str,
    resource_type: &'static str,
    severity: &'static str,
    status: &'static str,
    resource_id: String,
    user_id: String,
    project_id: String,
    realm_ids: Vec<String>,
    message: String,
    payload: String,
}

impl Generator {
    /// `count` events whose times end about `end_us` (UTC microseconds).
    pub fn new(seed: u64, count: u64, end_us: i64) -> Self {
        let event_type_count = u32::try_from(EVENT_TYPES.len()).unwrap_or(1);
        Self {
            random: Random::new(seed),
            event_types: Zipf::new(event_type_count, 1.1),
            resources: Zipf::new(RESOURCES, 1.05),
            count,
            made: 0,
            end_us,
            current: Current::default(),
        }
    }

    /// Events still to come.
    pub fn remaining(&self) -> u64 {
        self.count - self.made
    }

    /// The next event, borrowed until the one after it is made; `None` behind the last.
    pub fn next_event<'e>(&'e mut self, realms: &'e mut Vec<&'e str>) -> Option<Event<'e>> {
        if !self.advance() {
            return None;
        }
        let current = &self.current;
        realms.extend(current.realm_ids.iter().map(String::as_str));
        let mut event = Event::new(current.event_type);
        event.created_at_us = Some(current.created_at_us);
        event
            .set(Field::ResourceType, current.resource_type)
            .set(Field::ResourceId, &current.resource_id)
            .set(Field::UserId, &current.user_id)
            .set(Field::ProjectId, &current.project_id)
            .set(Field::Severity, current.severity)
            .set(Field::Status, current.status);
        event.realm_ids = realms.as_slice().into();
        event.message = Some(&current.message);
        event.payload = Some(&current.payload);
        Some(event)
    }

    /// Appends the next event as a line of JSON with its end; `false` behind the last.
    pub fn write_line(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.advance() {
            return false;
        }
        let current = &self.current;
        // Every text here is made of plain ASCII: nothing needs an escape.
        let mut line = String::with_capacity(640);
        put(&mut line, format_args!("{{\"created_at\":{}", current.created_at_us / US_PER_MS));
        for (name, value) in [
            ("event_type", current.event_type),
            ("resource_type", current.resource_type),
            ("resource_id", &current.resource_id),
            ("user_id", &current.user_id),
            ("project_id", &current.project_id),
            ("severity", current.severity),
            ("status", current.status),
            ("message", &current.message),
        ] {
            put(&mut line, format_args!(",\"{name}\":\"{value}\""));
        }
        put(&mut line, format_args!(",\"realm_ids\":[\"{}\"]", current.realm_ids.join("\",\"")));
        put(&mut line, format_args!(",\"payload\":{}}}\n", current.payload));
        out.extend_from_slice(line.as_bytes());
        true
    }

    fn advance(&mut self) -> bool {
        if self.made >= self.count {
            return false;
        }
        self.current.created_at_us = self.next_time_us();
        let random = &mut self.random;
        let event_type = usize::try_from(self.event_types.next(random)).unwrap_or(0);
        let (event_type, kind) = EVENT_TYPES.get(event_type).copied().unwrap_or(("system.started", 0));
        // A resource keeps its kind: of each twelve neighbours one is of the kind that is wanted.
        let kinds = u32::try_from(RESOURCE_TYPES.len()).unwrap_or(1);
        let rank = self.resources.next(random);
        let resource = (rank - rank % kinds + kind).min(RESOURCES - 1);
        let user = random.below(USERS);
        let project = resource % PROJECTS;
        let current = &mut self.current;
        current.event_type = event_type;
        current.resource_type = RESOURCE_TYPES.get(usize::try_from(kind).unwrap_or(0)).copied().unwrap_or("system");
        (current.severity, current.status) = match random.below(100) {
            0..3 => ("error", "failure"),
            3..9 => ("warn", "success"),
            9..14 => ("success", "success"),
            _ => ("info", "success"),
        };
        write_id(&mut current.resource_id, RESOURCE_SALT, resource);
        write_id(&mut current.user_id, USER_SALT, user);
        write_id(&mut current.project_id, PROJECT_SALT, project);
        fill_realms(&mut current.realm_ids, project, random);
        fill_message(&mut current.message, random);
        fill_payload(current, random);
        self.made += 1;
        true
    }

    /// Whole milliseconds, as most senders have.
    fn next_time_us(&mut self) -> i64 {
        let is_late = self.random.below(LATE_ONE_IN) == 0;
        let places = self.random.below(if is_late { LATE_PLACES_MAX } else { JITTER_PLACES_MAX });
        let place = i128::from(self.made) - i128::from(places);
        let offset_us = i128::from(SPAN_US) * place / i128::from(self.count.max(1));
        let time_us = self.end_us - SPAN_US + i64::try_from(offset_us).unwrap_or(0);
        (time_us - time_us.rem_euclid(US_PER_MS)).max(0)
    }
}

/// 24 hex digits that are always the same for the same thing.
fn write_id(out: &mut String, salt: u64, number: u32) {
    let high = mix(salt ^ (u64::from(number) << 32));
    let low = mix(high ^ salt);
    out.clear();
    put(out, format_args!("{high:016x}{:08x}", low >> 32));
}

/// The realm of the project, and up to two more.
fn fill_realms(realm_ids: &mut Vec<String>, project: u32, random: &mut Random) {
    let count = usize::try_from(1 + random.below(3)).unwrap_or(1);
    realm_ids.resize_with(count, String::new);
    for (position, realm) in realm_ids.iter_mut().enumerate() {
        let number = if position == 0 { project % REALMS } else { random.below(REALMS) };
        write_id(realm, REALM_SALT, number);
    }
}

fn fill_message(message: &mut String, random: &mut Random) {
    message.clear();
    for _ in 0..5 + random.below(8) {
        if !message.is_empty() {
            message.push(' ');
        }
        message.push_str(random.pick(&WORDS));
    }
}

fn fill_payload(current: &mut Current, random: &mut Random) {
    let Current { payload, event_type, .. } = current;
    payload.clear();
    let action = event_type.rsplit('.').next().unwrap_or_default();
    put(payload, format_args!("{{\"action\":\"{action}\",\"target\":{{"));
    put(payload, format_args!("\"region\":\"{}\",\"image\":\"{}\"}},", random.pick(&REGIONS), random.pick(&IMAGES)));
    let [a, b, c] = [random.below(256), random.below(256), random.below(256)];
    put(payload, format_args!("\"request\":{{\"ip\":\"10.{a}.{b}.{c}\",\"agent\":\"{}\",", random.pick(&USER_AGENTS)));
    put(payload, format_args!("\"duration_ms\":{},\"retries\":{}}},", random.below(4000), random.below(4)));
    put(payload, format_args!("\"bytes\":{}}}", random.below(10_000_000)));
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("memory takes any text");
}

#[cfg(test)]
mod tests;
