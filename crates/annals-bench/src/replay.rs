//! Real events as the shape of a workload: read once, and repeated.

use std::io::Read;

use annals_engine::{Event, EventId, Field, FieldSet, VALUES_MAX, Values};
use annals_json::IncomingEvent;

use crate::error::{Error, Result};

const DAY_US: i64 = 86_400_000_000;
/// What a part of an event is when it is no keyword field.
const MESSAGE: u8 = 200;
const PAYLOAD: u8 = 201;

/// Events read from NDJSON. Texts lie one behind the other; an event is a run of parts.
#[derive(Debug)]
pub(crate) struct Replay {
    text: String,
    parts: Vec<Part>,
    events: Vec<Held>,
    count: usize,
    /// By how much each repeat lies before the one that follows it.
    step_us: i64,
}

#[derive(Debug)]
struct Part {
    start: u64,
    len: u32,
    /// The number of a keyword field, [`MESSAGE`] or [`PAYLOAD`].
    what: u8,
}

#[derive(Debug)]
struct Held {
    id: u128,
    created_at_us: i64,
    numbers: FieldSet,
    /// Its parts end here and start where those of the event before it end.
    parts_end: usize,
}

impl Replay {
    pub(crate) fn read(mut reader: impl Read, count: Option<u64>) -> Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| Error::new(format_args!("cannot read the events: {error}")))?;
        let mut replay = Self { text: String::new(), parts: Vec::new(), events: Vec::new(), count: 0, step_us: 0 };
        for line in annals_json::lines(&bytes) {
            let event = annals_json::parse_event(line.bytes)
                .map_err(|error| Error::new(format_args!("line {}: {error}", line.number)))?;
            replay.hold(&event)?;
        }
        let held = replay.events.len();
        if held == 0 {
            return Err(Error::new("there is no event to read"));
        }
        replay.count = count.map_or(held, |count| usize::try_from(count).unwrap_or(usize::MAX));
        if replay.count > held {
            replay.shorten_gaps();
        }
        replay.step_us = replay.step();
        Ok(replay)
    }

    fn hold(&mut self, event: &IncomingEvent<'_>) -> Result<()> {
        let created_at_us = event.created_at_us.ok_or_else(|| Error::new("an event has no created_at"))?;
        for field in Field::ALL.iter().filter(|field| field.values() == Values::Single) {
            self.push(field.number(), event.get(*field).unwrap_or_default());
        }
        for realm in &event.realm_ids {
            self.push(Field::RealmIds.number(), realm);
        }
        self.push(MESSAGE, event.message.as_deref().unwrap_or_default());
        self.push(PAYLOAD, event.payload.as_deref().unwrap_or_default());
        let position = self.events.len();
        let id = event.id.map_or_else(|| random_like(0, u128::try_from(position).unwrap_or(0)), EventId::as_u128);
        self.events.push(Held { id, created_at_us, numbers: event.numbers, parts_end: self.parts.len() });
        Ok(())
    }

    fn push(&mut self, what: u8, value: &str) {
        if !value.is_empty() {
            let (start, len) = (u64::try_from(self.text.len()), u32::try_from(value.len()));
            if let (Ok(start), Ok(len)) = (start, len) {
                self.parts.push(Part { start, len, what });
                self.text.push_str(value);
            }
        }
    }

    /// Brings events that follow a gap of more than a day nearer, to a day: recordings made years apart, repeated,
    /// would reach over decades with a few events each. The newest keep their times.
    fn shorten_gaps(&mut self) {
        let mut times: Vec<i64> = self.events.iter().map(|event| event.created_at_us).collect();
        times.sort_unstable();
        // What is up to such a time moves by so much.
        let (mut moves, mut moved_us) = (Vec::new(), 0);
        for (before, after) in times.iter().zip(times.iter().skip(1)).rev() {
            if after - before > DAY_US {
                moved_us += after - before - DAY_US;
                moves.push((*before, moved_us));
            }
        }
        moves.reverse();
        for event in &mut self.events {
            let next = moves.partition_point(|(until, _)| *until < event.created_at_us);
            event.created_at_us += moves.get(next).map_or(0, |(_, moved_us)| *moved_us);
        }
    }

    /// Whole days that hold all events once; fewer if the repeats would begin before 1971.
    fn step(&self) -> i64 {
        let times = || self.events.iter().map(|event| event.created_at_us);
        let (oldest, newest) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let repeats = i64::try_from(self.count.div_ceil(self.events.len())).unwrap_or(i64::MAX).max(1);
        let wanted = ((newest - oldest).div_euclid(DAY_US) + 1) * DAY_US;
        let room = (oldest - 365 * DAY_US).max(0) / repeats;
        wanted.min(room)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn description(&self) -> String {
        let (held, count) = (self.events.len(), self.count);
        if count <= held {
            return format!("{count} real events");
        }
        let days = crate::timing::per(crate::timing::ratio(self.step_us.unsigned_abs(), 1), DAY_US.unsigned_abs());
        format!(
            "{count} events, {held} real ones repeated, each time {days:.2} days later and with new ids; gaps of more than a \
             day are a day long"
        )
    }

    pub(crate) fn with_event<T>(&self, position: usize, with: impl FnOnce(&Event<'_>) -> T) -> Option<T> {
        if position >= self.count {
            return None;
        }
        let (repeat, index) = (position / self.events.len(), position % self.events.len());
        let held = self.events.get(index)?;
        let last_repeat = (self.count - 1) / self.events.len();
        let parts_start = index.checked_sub(1).and_then(|before| self.events.get(before)).map_or(0, |e| e.parts_end);
        let mut event = Event::default();
        let (mut realms, mut realm_count) = ([""; VALUES_MAX], 0);
        for part in self.parts.get(parts_start..held.parts_end)? {
            let start = usize::try_from(part.start).ok()?;
            let text = self.text.get(start..start + usize::try_from(part.len).ok()?)?;
            match part.what {
                MESSAGE => event.message = Some(text),
                PAYLOAD => event.payload = Some(text),
                what if what == Field::RealmIds.number() => {
                    *realms.get_mut(realm_count)? = text;
                    realm_count += 1;
                }
                what => _ = event.set(Field::from_number(what)?, text),
            }
        }
        event.realm_ids = realms.get(..realm_count)?.into();
        event.numbers = held.numbers;
        let earlier = i64::try_from(last_repeat - repeat).ok()?;
        event.created_at_us = Some((held.created_at_us - earlier * self.step_us).max(0));
        let repeat = u128::try_from(repeat).ok()?;
        event.id = Some(EventId::from_u128(if repeat == 0 { held.id } else { random_like(held.id, repeat) }));
        Some(with(&event))
    }
}

/// A UUID of version 4 that follows from two numbers.
fn random_like(id: u128, number: u128) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mut bits = (id ^ number.wrapping_mul(ODD)).wrapping_mul(ODD);
    bits ^= bits >> 67;
    bits = bits.wrapping_mul(ODD);
    bits ^= bits >> 61;
    (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (2 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"event_type\":\"a\",\"created_at\":1700000000000,\
        \"realm_ids\":[\"r\",\"s\"],\"summary\":\"one\",\"payload\":{\"x\":1}}\n\
        {\"event_type\":\"b\",\"created_at\":1700000001000,\"user_id\":\"u\"}\n";

    fn texts(replay: &Replay, position: usize) -> (String, i64, String) {
        let show = |event: &Event<'_>| {
            let realms: Vec<&str> = event.realm_ids.iter().collect();
            let text = format!("{:?} {realms:?} {:?} {:?}", event.get(Field::EventType), event.message, event.payload);
            (event.id.unwrap().to_string(), event.created_at_us.unwrap(), text)
        };
        replay.with_event(position, show).unwrap()
    }

    #[test]
    fn repeats_have_new_ids_and_earlier_times_first() {
        let replay = Replay::read(LINES.as_bytes(), Some(5)).unwrap();
        assert_eq!((replay.len(), replay.step_us), (5, DAY_US));
        let (first, again, last) = (texts(&replay, 0), texts(&replay, 2), texts(&replay, 4));
        assert_eq!(first.0, "00000000-0000-4000-8000-000000000001");
        assert_eq!(first.2, "Some(\"a\") [\"r\", \"s\"] Some(\"one\") Some(\"{\\\"x\\\":1}\")");
        assert!(first.0 != again.0 && again.0 != last.0 && first.2 == again.2);
        assert_eq!((first.1 + DAY_US, again.1 + DAY_US), (again.1, last.1));
        assert_eq!(last.1, 1_700_000_000_000_000);
        assert!(replay.with_event(5, |_| ()).is_none());
        assert!(replay.description().contains("2 real ones repeated, each time 1.00 days later"));
    }

    #[test]
    fn gaps_of_more_than_a_day_are_a_day_long_in_repeats_only() {
        const HOURS_3: i64 = DAY_US / 8;
        let times = [100 * DAY_US, 40 * DAY_US, 99 * DAY_US + HOURS_3, 41 * DAY_US - 5_000, 41 * DAY_US];
        let line = |time_us: &i64| format!("{{\"event_type\":\"a\",\"created_at\":{}}}\n", time_us / 1000);
        let lines: String = times.iter().map(line).collect();
        let held = |count| {
            let replay = Replay::read(lines.as_bytes(), count).unwrap();
            replay.events.iter().map(|event| event.created_at_us).collect::<Vec<i64>>()
        };
        assert_eq!(held(None), times);
        assert_eq!(held(Some(5)), times);
        let later = |time_us| time_us + 57 * DAY_US + HOURS_3;
        let [newest, oldest, after_gap, near, before_gap] = times;
        assert_eq!(held(Some(6)), [newest, later(oldest), after_gap, later(near), later(before_gap)]);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for text in ["", "{\"event_type\":\"a\"}", "nonsense"] {
            assert!(Replay::read(text.as_bytes(), None).is_err());
        }
    }
}
