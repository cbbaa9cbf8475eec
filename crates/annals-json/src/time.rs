//! Times as text: RFC 3339 in, three renderings out, without a calendar library on the hot path.

const US_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar.
const EPOCH_SHIFT_DAYS: i64 = 719_468;
/// 0000-01-01T00:00:00, the earliest time that is written.
const WRITE_US_MIN: i64 = -62_167_219_200_000_000;
/// The last microsecond of the year 9999, the latest time that is written.
const WRITE_US_MAX: i64 = 253_402_300_799_999_999;

/// Reads an RFC 3339 time as microseconds since 1970-01-01 UTC.
///
/// Also taken: a space or a lower-case letter for `T`, no offset (UTC), a date alone (its midnight).
/// Decimals beyond microseconds are cut. A leap second is refused: no time of ours could show it again.
///
/// ```
/// assert_eq!(annals_json::parse_time("2023-11-14T22:13:20.5+01:00"), Some(1_699_996_400_500_000));
/// assert_eq!(annals_json::parse_time("yesterday"), None);
/// ```
pub fn parse_time(text: &str) -> Option<i64> {
    let mut rest = Scanner(text.as_bytes());
    let (year, month, day) = (rest.digits(4)?, rest.after(b"-", 2)?, rest.after(b"-", 2)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let date_us = days_from_civil(year, month, day) * SECONDS_PER_DAY * US_PER_SECOND;
    if rest.0.is_empty() {
        return Some(date_us);
    }
    let (hour, minute, second) = (rest.after(b"Tt ", 2)?, rest.after(b":", 2)?, rest.after(b":", 2)?);
    let fraction_us = if rest.skip(b".") { rest.fraction(6)? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset_minutes = rest.offset()?;
    let seconds = hour * 3600 + (minute - offset_minutes) * 60 + second;
    rest.0.is_empty().then_some(date_us + seconds * US_PER_SECOND + fraction_us)
}

/// Reads a decimal number of milliseconds since 1970-01-01 UTC as microseconds; further decimals are cut.
///
/// ```
/// assert_eq!(annals_json::parse_millis("1700000000000.1239"), Some(1_700_000_000_000_123));
/// ```
pub fn parse_millis(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_exponent(text);
    }
    let mut rest = Scanner(decimals.as_bytes());
    let micros = if text.contains('.') { rest.fraction(3)? } else { 0 };
    if !rest.0.is_empty() {
        return parse_exponent(text);
    }
    let whole_us = whole.parse::<i64>().ok()?.checked_mul(1000)?;
    if whole.starts_with('-') { whole_us.checked_sub(micros) } else { whole_us.checked_add(micros) }
}

/// `1.7e12`: rare enough to go through a float, which is exact to a quarter of a microsecond today.
fn parse_exponent(text: &str) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if !text.contains(['e', 'E']) {
        return None;
    }
    let micros = (text.parse::<f64>().ok()? * 1000.0).trunc();
    if !(-EXACT_MAX..=EXACT_MAX).contains(&micros) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53, checked above")]
    Some(micros as i64)
}

/// What is left of a text being read from the front.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    /// Takes the next byte if it is one of `any`.
    fn skip(&mut self, any: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut value = 0;
        for byte in digits {
            value = value * 10 + digit(*byte)?;
        }
        self.0 = rest;
        Some(value)
    }

    fn after(&mut self, any: &[u8], count: usize) -> Option<i64> {
        if self.skip(any) { self.digits(count) } else { None }
    }

    /// Decimals as a whole number of the `places`-th; at least one digit, further ones are cut.
    fn fraction(&mut self, places: u32) -> Option<i64> {
        let mut value = 0;
        let mut read = 0;
        while let Some((first, rest)) = self.0.split_first() {
            let Some(digit) = digit(*first) else { break };
            if read < places {
                value = value * 10 + digit;
            }
            read += 1;
            self.0 = rest;
        }
        (read > 0).then(|| value * 10_i64.pow(places.saturating_sub(read)))
    }

    /// Minutes east of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.skip(b"Zz") {
            return Some(0);
        }
        let sign = if self.skip(b"-") {
            -1
        } else if self.skip(b"+") {
            1
        } else {
            return None;
        };
        let (hours, minutes) = (self.digits(2)?, self.after(b":", 2)?);
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
    }
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01; years count from March so that the leap day ends one.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH_SHIFT_DAYS
}

/// The inverse: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH_SHIFT_DAYS;
    let (era, day_of_era) = (shifted.div_euclid(DAYS_PER_ERA), shifted.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// A month of the proleptic Gregorian calendar, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// Its time in microseconds since 1970-01-01.
    pub range_us: std::ops::Range<i64>,
}

/// The month in which a time lies. Times outside the years 0 to 9999 lie in the nearest month inside,
/// whose range then does not hold them.
///
/// ```
/// let month = annals_json::month_of(1_709_210_096_000_000);
/// assert_eq!((month.year, month.month), (2024, 2));
/// assert_eq!(month.range_us.end - month.range_us.start, 29 * 86_400_000_000);
/// ```
pub fn month_of(time_us: i64) -> Month {
    let seconds = time_us.clamp(WRITE_US_MIN, WRITE_US_MAX).div_euclid(US_PER_SECOND);
    let (year, month, _day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let start_us = |year, month| days_from_civil(year, month, 1) * SECONDS_PER_DAY * US_PER_SECOND;
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Month { year, month, range_us: start_us(year, month)..start_us(next_year, next_month) }
}

/// Decimals of a rendered time.
#[derive(Clone, Copy)]
enum Decimals {
    None,
    Three,
    Six,
}

/// Appends `2023-11-14T22:13:20.000000Z`: six decimals. Times outside the years 0 to 9999 are shown
/// as the nearest one inside.
pub fn write_micros(out: &mut Vec<u8>, time_us: i64) {
    write(out, time_us, Decimals::Six);
}

/// Appends `2023-11-14T22:13:20.000Z`: three decimals, further ones cut.
pub fn write_millis(out: &mut Vec<u8>, time_us: i64) {
    write(out, time_us, Decimals::Three);
}

/// Appends the form of Python's `isoformat` with `Z`: six decimals, or none if all are zero.
pub fn write_iso(out: &mut Vec<u8>, time_us: i64) {
    let whole = time_us.rem_euclid(US_PER_SECOND) == 0;
    write(out, time_us, if whole { Decimals::None } else { Decimals::Six });
}

fn write(out: &mut Vec<u8>, time_us: i64, decimals: Decimals) {
    let time_us = time_us.clamp(WRITE_US_MIN, WRITE_US_MAX);
    let (seconds, micros) = (time_us.div_euclid(US_PER_SECOND), time_us.rem_euclid(US_PER_SECOND));
    let (days, second_of_day) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let parts = [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, second_of_day / 3600),
        (14, second_of_day / 60 % 60),
        (17, second_of_day % 60),
        (20, micros / 10_000),
        (22, micros / 100 % 100),
        (24, micros % 100),
    ];
    for (place, value) in parts {
        put_pair(&mut text, place, value);
    }
    let end = match decimals {
        Decimals::None => 19,
        Decimals::Three => 23,
        Decimals::Six => 26,
    };
    out.extend_from_slice(text.get(..end).unwrap_or_default());
    out.push(b'Z');
}

/// Writes `value`, of 0 to 99, as two digits.
fn put_pair(text: &mut [u8], place: usize, value: i64) {
    let value = u8::try_from(value).unwrap_or(0);
    if let Some(pair) = text.get_mut(place..place + 2) {
        pair.copy_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: fn(&mut Vec<u8>, i64), time_us: i64) -> String {
        let mut out = Vec::new();
        write(&mut out, time_us);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn rendering_agrees_with_jiff(time_us in WRITE_US_MIN..=WRITE_US_MAX) {
            let stamp = jiff::Timestamp::from_microsecond(time_us).unwrap();
            prop_assert_eq!(text(write_micros, time_us), format!("{stamp:.6}"));
            let cut = jiff::Timestamp::from_millisecond(time_us.div_euclid(1000)).unwrap();
            prop_assert_eq!(text(write_millis, time_us), format!("{cut:.3}"));
            prop_assert_eq!(parse_time(&text(write_micros, time_us)), Some(time_us));
        }

        #[test]
        fn months_agree_with_jiff(time_us in WRITE_US_MIN..=WRITE_US_MAX) {
            let date = jiff::Timestamp::from_microsecond(time_us).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
            let month = month_of(time_us);
            prop_assert_eq!((month.year, month.month), (i64::from(date.year()), i64::from(date.month())));
            prop_assert!(month.range_us.contains(&time_us));
            let days = i64::from(date.days_in_month());
            prop_assert_eq!(month.range_us.end - month.range_us.start, days * SECONDS_PER_DAY * US_PER_SECOND);
            prop_assert_eq!(month_of(month.range_us.start).range_us, month.range_us);
        }

        #[test]
        fn reading_agrees_with_jiff(
            time_us in WRITE_US_MIN + 86_400_000_000..=WRITE_US_MAX - 86_400_000_000,
            minutes in -1439_i64..1440,
        ) {
            let local = text(write_micros, time_us + minutes * 60 * US_PER_SECOND);
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
            let shown = format!("{}{sign}{hours:02}:{rest:02}", local.trim_end_matches('Z'));
            prop_assert_eq!(parse_time(&shown), Some(time_us));
            let stamp: jiff::Timestamp = shown.parse().unwrap();
            prop_assert_eq!(stamp.as_microsecond(), time_us);
        }

        #[test]
        fn any_text_is_read_without_panic(shown: String, near in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+Z-]{0,20}") {
            let _ = (parse_time(&shown), parse_millis(&shown));
            if let (Some(ours), Ok(stamp)) = (parse_time(&near), near.parse::<jiff::Timestamp>()) {
                prop_assert_eq!(i128::from(ours), stamp.as_nanosecond().div_euclid(1000));
            }
        }
    }

    #[test]
    fn accepted_forms() {
        let base = 1_700_000_000_000_000;
        for (shown, expected) in [
            ("2023-11-14T22:13:20Z", base),
            ("2023-11-14t22:13:20z", base),
            ("2023-11-14 22:13:20", base),
            ("2023-11-14T22:13:20.1Z", base + 100_000),
            ("2023-11-14T22:13:20.1234569Z", base + 123_456),
            ("2023-11-14T23:13:20+01:00", base),
            ("2023-11-14T17:43:20-04:30", base),
            ("2023-11-14", 1_699_920_000_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2024-02-29", 1_709_164_800_000_000),
        ] {
            assert_eq!(parse_time(shown), Some(expected), "{shown}");
        }
    }

    #[test]
    fn refused_forms() {
        for shown in [
            "",
            "2023",
            "2023-13-01",
            "2023-02-29",
            "2023-00-10",
            "2023-11-14T",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:60:00Z",
            "2023-11-14T22:13:60Z",
            "2016-12-31T23:59:60Z",
            "2023-11-14T22:13",
            "2023-11-14T22:13Z",
            "2023-11-14T22:13:20+01",
            "2023-11-14T22:13:20+0100",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20Zx",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20 UTC",
            "+2023-11-14",
            "2023-11-1\u{661}",
        ] {
            assert_eq!(parse_time(shown), None, "{shown}");
        }
    }

    #[test]
    fn milliseconds_are_exact() {
        for (shown, expected) in [
            ("0", Some(0)),
            ("1700000000000", Some(1_700_000_000_000_000)),
            ("1700000000000.123", Some(1_700_000_000_000_123)),
            ("1700000000000.1239999", Some(1_700_000_000_000_123)),
            ("1.7e12", Some(1_700_000_000_000_000)),
            ("-1.5", Some(-1500)),
            ("99999999999999999999", None),
            ("1e400", None),
            ("NaN", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(parse_millis(shown), expected, "{shown}");
        }
    }

    #[test]
    fn whole_seconds_have_no_decimals_in_iso() {
        assert_eq!(text(write_iso, 1_700_000_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(text(write_iso, 1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(text(write_millis, i64::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(text(write_millis, i64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
