//! The texts of an event: its message and its payload.

use crate::random::Random;
use crate::row::Row;
use crate::vocabulary::WORDS;
use crate::words::{IMAGES, REGIONS, USER_AGENTS};

/// Of a hundred tokens of a message, so many are numbers below [`NUMBERS`].
const NUMBERS_IN_100: u32 = 9;
const NUMBERS: u32 = 10_000;

/// Five to twelve words and numbers.
pub(crate) fn push_message(out: &mut String, random: &mut Random) {
    for place in 0..5 + random.below(8) {
        if place > 0 {
            out.push(' ');
        }
        if random.below(100) < NUMBERS_IN_100 {
            push_number(out, random.below(NUMBERS));
        } else {
            out.push_str(random.pick(&WORDS));
        }
    }
}

/// An object of one of twelve shapes, one for each kind of resource. Some of what it says the event says
/// too, as payloads do.
pub(crate) fn push_payload(out: &mut String, row: &Row, resource_id: &str, random: &mut Random) {
    let mut writer = Writer { out, random };
    if row.kind < 6 {
        push_of_machines(&mut writer, row, resource_id);
    } else {
        push_of_accounts(&mut writer, row, resource_id);
    }
}

/// Containers, servers, users, projects, shares, firewalls.
fn push_of_machines(writer: &mut Writer<'_, '_>, row: &Row, resource_id: &str) {
    let status = row.status();
    match row.kind {
        0 => writer
            .text("{\"unit\":{\"id\":\"", resource_id)
            .one("\",\"image\":\"", &IMAGES)
            .number("\"},\"cpu\":", 100)
            .number(",\"memory_mb\":", 4096)
            .text(",\"result\":\"", status)
            .end("\"}"),
        1 => writer
            .text("{\"host\":{\"id\":\"", resource_id)
            .one("\",\"region\":\"", &REGIONS)
            .number("\"},\"load\":{\"one\":", 64)
            .number(",\"five\":", 64)
            .number("},\"uptime_s\":", 9_000_000)
            .end("}"),
        2 => writer
            .one("{\"agent\":\"", &USER_AGENTS)
            .address("\",\"address\":\"")
            .text("\",\"outcome\":{\"status\":\"", status)
            .number("\",\"attempts\":", 5)
            .number("},\"session\":", 1_000_000_000)
            .end("}"),
        3 => writer
            .text("{\"subject\":\"", resource_id)
            .one("\",\"region\":\"", &REGIONS)
            .number("\",\"limits\":{\"members\":", 500)
            .number(",\"storage_gb\":", 10_000)
            .end("}}"),
        4 => writer
            .text("{\"share\":{\"id\":\"", resource_id)
            .number("\",\"used_bytes\":", 4_000_000_000)
            .number(",\"files\":", 1_000_000)
            .one("},\"region\":\"", &REGIONS)
            .text("\",\"result\":\"", status)
            .end("\"}"),
        _ => writer
            .address("{\"rule\":{\"from\":\"")
            .address("\",\"to\":\"")
            .number("\",\"port\":", 65_536)
            .number(",\"priority\":", 1000)
            .one("},\"region\":\"", &REGIONS)
            .text("\",\"outcome\":\"", status)
            .end("\"}"),
    }
}

/// Aliases, tokens, pools, databases, invoices, jobs.
fn push_of_accounts(writer: &mut Writer<'_, '_>, row: &Row, resource_id: &str) {
    let status = row.status();
    match row.kind {
        6 => writer
            .text("{\"alias\":{\"target\":\"", resource_id)
            .number("\",\"port\":", 65_536)
            .number("},\"requests\":", 100_000)
            .number(",\"bytes_out\":", 1_000_000_000)
            .text(",\"result\":\"", status)
            .end("\"}"),
        7 => writer
            .one("{\"client\":{\"agent\":\"", &USER_AGENTS)
            .address("\",\"address\":\"")
            .number("\"},\"lifetime_s\":", 86_400)
            .text(",\"issued_for\":\"", resource_id)
            .end("\"}"),
        8 => writer
            .text("{\"pool\":\"", resource_id)
            .number("\",\"size\":{\"before\":", 200)
            .number(",\"after\":", 200)
            .number("},\"waiting\":", 1000)
            .one(",\"region\":\"", &REGIONS)
            .end("\"}"),
        9 => writer
            .text("{\"database\":{\"id\":\"", resource_id)
            .one("\",\"image\":\"", &IMAGES)
            .number("\"},\"duration_ms\":", 600_000)
            .number(",\"rows\":", 50_000_000)
            .text(",\"outcome\":\"", status)
            .end("\"}"),
        10 => writer
            .text("{\"invoice\":\"", resource_id)
            .number("\",\"amount\":{\"cents\":", 5_000_000)
            .number(",\"tax_cents\":", 900_000)
            .number("},\"items\":", 40)
            .text(",\"status\":\"", status)
            .end("\"}"),
        _ => writer
            .text("{\"job\":{\"id\":\"", resource_id)
            .number("\",\"attempt\":", 6)
            .number("},\"took_ms\":", 100_000)
            .number(",\"queue\":{\"length\":", 5000)
            .text("},\"result\":\"", status)
            .end("\"}"),
    }
}

/// Writes the parts of a payload one behind the other, each with what comes before it.
struct Writer<'o, 'r> {
    out: &'o mut String,
    random: &'r mut Random,
}

impl Writer<'_, '_> {
    fn text(&mut self, before: &str, value: &str) -> &mut Self {
        self.out.push_str(before);
        self.out.push_str(value);
        self
    }

    /// One of a few texts.
    fn one(&mut self, before: &str, values: &[&str]) -> &mut Self {
        let value = self.random.pick(values);
        self.text(before, value)
    }

    fn number(&mut self, before: &str, bound: u32) -> &mut Self {
        self.out.push_str(before);
        push_number(self.out, self.random.below(bound));
        self
    }

    fn address(&mut self, before: &str) -> &mut Self {
        self.out.push_str(before);
        self.out.push_str("10.");
        push_number(self.out, self.random.below(4));
        for _ in 0..2 {
            self.out.push('.');
            push_number(self.out, self.random.below(256));
        }
        self
    }

    fn end(&mut self, after: &str) {
        self.out.push_str(after);
    }
}

/// In decimal digits.
pub(crate) fn push_number(out: &mut String, number: u32) {
    let mut digits = 1_000_000_000;
    while digits > number && digits > 1 {
        digits /= 10;
    }
    while digits > 0 {
        out.push(char::from_digit(number / digits % 10, 10).unwrap_or('0'));
        digits /= 10;
    }
}
