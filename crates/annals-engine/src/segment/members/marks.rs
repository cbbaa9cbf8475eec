//! What a text repeats of its own event, and the byte that stands for it.

use memchr::memmem;

use crate::error::{Error, Result};
use crate::field::Field;

use super::super::checked::CheckedFile;
use super::super::keyword::KeywordColumn;
use super::super::packed::FrameColumn;
use super::super::text::{StreamReader, VALUE_SIZE_MAX};

/// Shorter values are not worth a look at each text.
const REPEATED_MIN: usize = 4;
/// The bytes that stand for values: control characters that are no white space, and not [`super::VALUE_END`]. No JSON
/// text holds them.
const MARKS: [u8; 27] =
    [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30];
const NUMBER_MESSAGE: u8 = 64;
const NUMBER_CREATED_AT: u8 = 65;
/// The second value of the realms; the third and the fourth follow.
const NUMBER_REALMS: u8 = 66;
const REALMS_MAX: u8 = 4;

/// What is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Message,
    /// To the millisecond, as `2025-01-31T23:59:59.000`.
    CreatedAt,
    /// A field's value of that place among the row's.
    Field(Field, u8),
}

impl Origin {
    /// Everything that may be repeated.
    pub(super) fn all() -> Vec<Self> {
        let fields = Field::ALL.iter().map(|field| Self::Field(*field, 0));
        let realms = (1..REALMS_MAX).map(|place| Self::Field(Field::RealmIds, place));
        [Self::Message, Self::CreatedAt].into_iter().chain(fields).chain(realms).collect()
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Message => NUMBER_MESSAGE,
            Self::CreatedAt => NUMBER_CREATED_AT,
            Self::Field(field, 0) => field.number(),
            Self::Field(_, place) => NUMBER_REALMS - 1 + place,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            NUMBER_MESSAGE => Some(Self::Message),
            NUMBER_CREATED_AT => Some(Self::CreatedAt),
            _ => match number.checked_sub(NUMBER_REALMS - 1) {
                None => Field::from_number(number).map(|field| Self::Field(field, 0)),
                Some(place) if (1..REALMS_MAX).contains(&place) => Some(Self::Field(Field::RealmIds, place)),
                Some(_) => None,
            },
        }
    }
}

/// The values of the rows.
pub(super) trait Values {
    /// Hands the value to `take`, if the row has one.
    fn with(&mut self, origin: Origin, row: u32, take: &mut dyn FnMut(&[u8])) -> Result<()>;
}

/// Replaces `out` by a value as JSON has it between quotes; `false` if the row has none, or one that needs more than
/// a backslash in front of quotes and backslashes.
fn quoted(values: &mut dyn Values, origin: Origin, row: u32, out: &mut Vec<u8>) -> Result<bool> {
    let mut found = false;
    out.clear();
    values.with(origin, row, &mut |value| {
        found = !value.iter().any(|byte| *byte < b' ');
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
    })?;
    Ok(found)
}

fn is_mark(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Shortens texts by what they repeat.
#[derive(Debug, Default)]
pub(super) struct Shortener {
    /// Each with the mark of its place, in the order in which they are looked for.
    pub(super) origins: Vec<Origin>,
    needle: Vec<u8>,
    other: Vec<u8>,
}

impl Shortener {
    pub(super) fn new(origins: Vec<Origin>) -> Self {
        Self { origins, ..Self::default() }
    }

    /// One that has nothing to look for yet, and what it is to look for: told by the `texts` of rows.
    pub(super) fn learn(texts: &[(u32, &[u8])], values: &mut dyn Values) -> Result<Self> {
        let mut gains = Vec::new();
        let mut needle = Vec::new();
        for origin in Origin::all() {
            let mut saved = 0;
            for (row, text) in texts {
                if quoted(values, origin, *row, &mut needle)? && needle.len() >= REPEATED_MIN {
                    saved += memmem::find_iter(text, &needle).count() * (needle.len() - 1);
                }
            }
            if saved > texts.len() {
                gains.push((saved, origin));
            }
        }
        // What saves most is looked for first: a long value may hold a short one.
        gains.sort_by_key(|(saved, origin)| (std::cmp::Reverse(*saved), origin.number()));
        Ok(Self::new(gains.into_iter().map(|(_, origin)| origin).take(MARKS.len()).collect()))
    }

    /// Replaces `out` by the text with marks; `false` if the text holds what could be one.
    pub(super) fn shorten(
        &mut self,
        row: u32,
        text: &[u8],
        values: &mut dyn Values,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        out.clear();
        if text.iter().any(|byte| is_mark(*byte)) {
            return Ok(false);
        }
        out.extend_from_slice(text);
        for (origin, mark) in self.origins.iter().zip(MARKS) {
            if !quoted(values, *origin, row, &mut self.needle)? || self.needle.len() < REPEATED_MIN {
                continue;
            }
            self.other.clear();
            let mut copied = 0;
            for found in memmem::find_iter(out, &self.needle) {
                self.other.extend_from_slice(out.get(copied..found).unwrap_or_default());
                self.other.push(mark);
                copied = found + self.needle.len();
            }
            if copied > 0 {
                self.other.extend_from_slice(out.get(copied..).unwrap_or_default());
                std::mem::swap(out, &mut self.other);
            }
        }
        Ok(true)
    }
}

/// Replaces `out` by `text` with the values its marks stand for.
pub(super) fn lengthen(
    origins: &[Origin],
    row: u32,
    text: &[u8],
    values: &mut dyn Values,
    (needle, out): (&mut Vec<u8>, &mut Vec<u8>),
) -> Result<()> {
    out.clear();
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| is_mark(*byte)) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let mark = from.first().copied().unwrap_or_default();
        let place = MARKS.iter().position(|known| *known == mark);
        let origin = place.and_then(|place| origins.get(place)).copied();
        let wrong = || Error::corrupt(format!("a text repeats {origin:?}, which row {row} does not have"));
        if !quoted(values, origin.ok_or_else(wrong)?, row, needle)? {
            return Err(wrong());
        }
        out.extend_from_slice(needle);
        if out.len() > VALUE_SIZE_MAX {
            return Err(Error::corrupt(format!("the text of row {row} is too long")));
        }
        rest = from.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The other columns of the segment whose texts are read.
#[derive(Clone, Copy)]
pub(crate) struct Siblings<'a> {
    pub(crate) file: &'a CheckedFile,
    pub(crate) fields: &'a [KeywordColumn],
    /// Both absent where nothing repeats them.
    pub(crate) message: Option<&'a StreamReader>,
    pub(crate) created_at: Option<&'a FrameColumn>,
}

impl Siblings<'_> {
    pub(super) fn field(&self, field: Field) -> Option<&KeywordColumn> {
        let at = self.fields.binary_search_by_key(&field, |column| column.field).ok()?;
        self.fields.get(at)
    }
}

const DAY_MS: i64 = 86_400_000;

/// A time to the millisecond, without the zone; `None` outside of the years 0 to 9999.
pub(crate) fn timestamp(created_at_us: i64) -> Option<String> {
    let ms = created_at_us.div_euclid(1000);
    let (days, ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Years that start in March, in eras of 400 of them: the day that comes and goes is the last one.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    (0..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_calendars() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00.000"),
            (-1, "1969-12-31T23:59:59.999"),
            (1_709_164_800_123_999, "2024-02-29T00:00:00.123"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000"),
            (4_107_542_399_000_000, "2100-02-28T23:59:59.000"),
        ] {
            assert_eq!(timestamp(us).as_deref(), Some(text));
        }
        assert_eq!((timestamp(i64::MAX), timestamp(i64::MIN)), (None, None));
    }

    #[test]
    fn an_origin_has_a_number_of_its_own() {
        let all = Origin::all();
        for origin in &all {
            assert_eq!(Origin::from_number(origin.number()), Some(*origin));
        }
        let known = (0..=u8::MAX).filter(|number| Origin::from_number(*number).is_some()).count();
        assert_eq!(known, all.len());
    }
}
