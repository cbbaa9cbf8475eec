//! An event as a line of JSON.

use crate::tables::{ID_LEN, push_hex};
use crate::text::push_number;

const MS_PER_DAY: i64 = 86_400_000;

/// What a line holds.
pub(crate) struct Line<'a> {
    pub(crate) id_bits: u128,
    pub(crate) created_at_us: i64,
    pub(crate) texts: [(&'static str, &'a str); 10],
    pub(crate) realm_ids: [&'a str; 3],
    pub(crate) payload: &'a str,
}

/// Appends a line. Every text here is made of plain ASCII: nothing needs an escape.
pub(crate) fn push_line(out: &mut String, line: &Line<'_>) {
    out.push_str("{\"id\":\"");
    let high = u64::try_from(line.id_bits >> 64).unwrap_or(0);
    let low = u64::try_from(line.id_bits & u128::from(u64::MAX)).unwrap_or(0);
    push_hex(out, high, 8);
    push_hex(out, low, 16);
    out.push_str("\",\"created_at\":\"");
    push_time(out, line.created_at_us);
    out.push('"');
    for (name, value) in line.texts {
        if !value.is_empty() {
            for part in [",\"", name, "\":\"", value, "\""] {
                out.push_str(part);
            }
        }
    }
    out.push_str(",\"realm_ids\":[");
    for (position, realm) in line.realm_ids.iter().enumerate().filter(|(_, realm)| !realm.is_empty()) {
        out.push_str(if position == 0 { "\"" } else { ",\"" });
        out.push_str(realm);
        out.push('"');
    }
    out.push_str("],\"payload\":");
    out.push_str(line.payload);
    out.push_str("}\n");
}

/// RFC 3339 in UTC with milliseconds.
fn push_time(out: &mut String, time_us: i64) {
    let millis = time_us.div_euclid(1000);
    let (year, month, day) = date_of(millis.div_euclid(MS_PER_DAY));
    let in_day = u32::try_from(millis.rem_euclid(MS_PER_DAY)).unwrap_or(0);
    let parts = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (in_day / 3_600_000, 2, ':'),
        (in_day / 60_000 % 60, 2, ':'),
        (in_day / 1000 % 60, 2, '.'),
        (in_day % 1000, 3, 'Z'),
    ];
    for (number, width, after) in parts {
        push_padded(out, number, width);
        out.push(after);
    }
}

fn push_padded(out: &mut String, number: u32, width: usize) {
    let digits = number.checked_ilog10().map_or(1, |log| usize::try_from(log).unwrap_or(0) + 1);
    for _ in digits..width {
        out.push('0');
    }
    push_number(out, number);
}

/// Year, month and day of a day since 1970, by eras of 400 years that begin in March.
fn date_of(day: i64) -> (u32, u32, u32) {
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    let small = |number: i64| u32::try_from(number).unwrap_or(0);
    (small(year), small(month), small(day_of_month))
}

const _: () = assert!(ID_LEN == 8 + 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        for (time_us, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789_999, "2000-02-29T12:34:56.789Z"),
            (1_736_937_000_000_000, "2025-01-15T10:30:00.000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let mut out = String::new();
            push_time(&mut out, time_us);
            assert_eq!(out, text);
        }
    }
}
