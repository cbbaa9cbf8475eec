//! The 128-bit identity of an event and its three renderings.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// An event's identity: a UUID given by the client, 24 hex digits given by the client (kept in a
/// marked part of the UUIDv8 space, RFC 9562 section 5.8), or one made by the store.
///
/// An id made by the store is a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds and the
/// microsecond within it come from `created_at`, the last 62 bits are the sequence, so that it leads
/// to its event without an index.
///
/// ```
/// use annals_engine::EventId;
/// let id: EventId = "507f1f77bcf86cd799439044".parse()?;
/// assert_eq!(id.as_hex24().as_deref(), Some("507f1f77bcf86cd799439044"));
/// let made = EventId::made(1_700_000_000_000_123, 42);
/// assert_eq!(made.made_parts(), Some((1_700_000_000_000_123, 42)));
/// # Ok::<(), annals_engine::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(u128);

const VERSION_SHIFT: u32 = 76;
const VARIANT_SHIFT: u32 = 62;
const LOW_62: u128 = (1 << 62) - 1;
/// The 26 bits that mark a UUIDv8 as 24 hex digits; the first of them fill its first 26 bits.
const HEX24_MARK: u128 = 0x2a_441a1;
const MICROS_PER_MILLI: i64 = 1000;

/// The times that an id may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CarriedTimes {
    /// `created_at` of an id that the store made.
    pub(crate) made_us: Option<i64>,
    /// Of 24 hex digits.
    pub(crate) seconds: Option<i64>,
    /// Of a UUIDv7.
    pub(crate) millis: Option<i64>,
}

impl EventId {
    /// The identity with these 128 bits.
    pub fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The 128 bits, most significant first as in the text form.
    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// The identity the store gives the event of that time and sequence.
    pub fn made(created_at_us: i64, sequence: u64) -> Self {
        let millis = u128::from(created_at_us.div_euclid(MICROS_PER_MILLI).cast_unsigned()) & ((1 << 48) - 1);
        let micros = u128::from(created_at_us.rem_euclid(MICROS_PER_MILLI).cast_unsigned());
        let low = u128::from(sequence) & LOW_62;
        Self((millis << 80) | (7 << VERSION_SHIFT) | (micros << 64) | (2 << VARIANT_SHIFT) | low)
    }

    /// `created_at` in microseconds and the sequence, if the id has the form of one made by a store.
    pub fn made_parts(self) -> Option<(i64, u64)> {
        let micros = i64::try_from((self.0 >> 64) & 0xfff).ok()?;
        if self.version() != 7 || self.variant() != 2 || micros >= MICROS_PER_MILLI {
            return None;
        }
        let millis = i64::try_from(self.0 >> 80).ok()?;
        let sequence = u64::try_from(self.0 & LOW_62).ok()?;
        Some((millis * MICROS_PER_MILLI + micros, sequence))
    }

    /// The identity that stands for 24 hex digits, given as their 96 bits.
    pub fn from_hex24(bits: u128) -> Self {
        // The free bits of a UUIDv8 from the top: 48, 12, 62. The mark takes 26, the digits the other 96.
        let free = (HEX24_MARK << 96) | (bits & ((1 << 96) - 1));
        let (high, middle, low) = (free >> 74, (free >> 62) & 0xfff, free & LOW_62);
        Self((high << 80) | (8 << VERSION_SHIFT) | (middle << 64) | (2 << VARIANT_SHIFT) | low)
    }

    /// The 24 lower-case hex digits this id was given as, if it was given so.
    pub fn as_hex24(self) -> Option<String> {
        self.hex24_bits().map(|bits| format!("{bits:024x}"))
    }

    /// The 96 bits of the 24 hex digits this id was given as, if it was given so.
    pub(crate) fn hex24_bits(self) -> Option<u128> {
        if self.version() != 8 || self.variant() != 2 {
            return None;
        }
        let free = ((self.0 >> 80) << 74) | (((self.0 >> 64) & 0xfff) << 62) | (self.0 & LOW_62);
        (free >> 96 == HEX24_MARK).then_some(free & ((1 << 96) - 1))
    }

    /// The milliseconds of a UUIDv7.
    pub(crate) fn version_7_millis(self) -> Option<i64> {
        if self.version() != 7 || self.variant() != 2 {
            return None;
        }
        i64::try_from(self.0 >> 80).ok()
    }

    /// The times it may carry, by the ways it may have been made.
    pub(crate) fn carried(self) -> CarriedTimes {
        CarriedTimes {
            made_us: self.made_parts().map(|(created_at_us, _)| created_at_us),
            seconds: self.hex24_bits().and_then(|bits| i64::try_from(bits >> 64).ok()),
            millis: self.version_7_millis(),
        }
    }

    /// The 32 hex digits without hyphens.
    pub fn to_simple(self) -> String {
        format!("{:032x}", self.0)
    }

    fn version(self) -> u128 {
        (self.0 >> VERSION_SHIFT) & 0xf
    }

    fn variant(self) -> u128 {
        (self.0 >> VARIANT_SHIFT) & 0b11
    }
}

impl fmt::Display for EventId {
    /// The hyphenated, lower-case UUID form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            b >> 96,
            (b >> 80) & 0xffff,
            (b >> 64) & 0xffff,
            (b >> 48) & 0xffff,
            b & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

impl FromStr for EventId {
    type Err = Error;

    /// A UUID (hyphenated, simple, braced or as URN, any case) or 24 hex digits.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let shown: String = text.chars().take(64).collect();
            Error::invalid_input(format!("id {shown:?} is neither a UUID nor 24 hex digits"))
        };
        let body = text.strip_prefix("urn:uuid:").unwrap_or(text);
        let body = body.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(body);
        let mut bits = 0_u128;
        let mut digits = 0_u32;
        for (position, byte) in body.bytes().enumerate() {
            if byte == b'-' && body.len() == 36 && matches!(position, 8 | 13 | 18 | 23) {
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or_else(invalid)?;
            digits += 1;
            if digits > 32 {
                return Err(invalid());
            }
            bits = (bits << 4) | u128::from(digit);
        }
        match (digits, body.len()) {
            (32, 32 | 36) => Ok(Self(bits)),
            (24, 24) if text.len() == 24 => Ok(Self::from_hex24(bits)),
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn made_ids_carry_time_and_sequence(us in 0_i64..253_402_300_800_000_000, sequence in 0_u64..(1 << 62)) {
            prop_assert_eq!(EventId::made(us, sequence).made_parts(), Some((us, sequence)));
        }

        #[test]
        fn text_forms_come_back(bits: u128) {
            let id = EventId::from_u128(bits);
            prop_assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
            prop_assert_eq!(id.to_simple().to_uppercase().parse::<EventId>().unwrap(), id);
        }

        #[test]
        fn hex24_comes_back(bits in 0_u128..(1 << 96)) {
            let text = format!("{bits:024x}");
            let id: EventId = text.parse().unwrap();
            prop_assert_eq!(id.as_hex24(), Some(text));
            prop_assert!(id.made_parts().is_none());
        }

        #[test]
        fn any_text_is_parsed_without_panic(text: String) {
            let _ = text.parse::<EventId>();
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "507f1f77bcf86cd79943904",
            "507f1f77bcf86cd79943904g",
            "{507f1f77bcf86cd799439044}",
            "-",
            "0123456789-bcf86cd799439044aaaaaaaaaaa",
        ] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
