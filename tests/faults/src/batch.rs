//! Batches that can be made again from their number.

use std::fmt::Write;

use serde_json::Value;

use crate::random::Random;

/// One event: its batch and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) batch: u64,
    pub(crate) index: u64,
}

impl Place {
    /// Events carry their place in `resource_id` and `session_id`.
    pub(crate) fn of_event(event: &Value) -> Option<Self> {
        let number = |name: &str| event.get(name)?.as_str()?.parse().ok();
        Some(Self { batch: number("resource_id")?, index: number("session_id")? })
    }
}

/// What a batch is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) name: u64,
    pub(crate) count: u64,
    /// Its events have ids; without, the batch has an idempotency key.
    pub(crate) with_ids: bool,
    /// Characters that each event has beside the short ones, of a kind that does not compress below half.
    pub(crate) text: u64,
}

impl Batch {
    /// The batch as it goes over the wire, again and again if need be.
    pub(crate) fn body(&self) -> String {
        let name = self.name;
        let mut body = String::new();
        for index in 0..self.count {
            let id = if self.with_ids { format!(r#""id":"{}","#, event_id(name, index)) } else { String::new() };
            let day = 1 + index % 3;
            let text = hex_text(name ^ index.rotate_left(32), self.text);
            _ = writeln!(
                body,
                r#"{{{id}"event_type":"kill.test","resource_id":"{name}","session_id":"{index}","created_at":"2026-01-0{day}T00:00:00Z","message":"event {index} of batch {name}{text}"}}"#
            );
        }
        body
    }

    pub(crate) fn key(&self) -> Option<String> {
        (!self.with_ids).then(|| format!("batch-{}", self.name))
    }
}

pub(crate) fn event_id(batch: u64, index: u64) -> String {
    format!("{:08x}-{:04x}-4{:03x}-8000-{index:012x}", batch >> 32, (batch >> 16) & 0xffff, batch & 0xfff)
}

fn hex_text(seed: u64, len: u64) -> String {
    let mut random = Random::new(seed);
    let mut text = String::new();
    for _ in 0..len.div_ceil(16) {
        _ = write!(text, " {:015x}", random.next() >> 4);
    }
    text
}
