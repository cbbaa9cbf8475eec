//! Opaque, signed resume tokens.
//!
//! The text is unpadded base64url of a version byte, the position and a truncated HMAC-SHA256. The HMAC
//! covers the fingerprint of scope, filter and order too, so that a cursor fits the query it came from,
//! whatever its limit, and nothing else.

use annals_engine::OrderKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::fingerprint;
use crate::query::Query;

const VERSION: u8 = 1;
/// Keeps these signatures apart from any other use of the same secret.
const DOMAIN: &[u8] = b"annals cursor\0";
const TIME_OFFSET: usize = 1;
const SEQUENCE_OFFSET: usize = 9;
const TYPE_OFFSET: usize = 17;
/// 128 bits: out of reach for guessing over a network.
const TAG_SIZE: usize = 16;
/// An event type is at most 200 bytes, so a genuine cursor stays well below; longer texts are not decoded.
const TEXT_SIZE_MAX: usize = 512;

/// Where a page ended: the last event's place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CursorPosition {
    /// The last event's place in `created_at` order.
    pub key: OrderKey,
    /// Its event type if the order is by type.
    pub event_type: Option<String>,
}

/// The secret cursors are signed with.
#[derive(Clone)]
pub struct CursorKey([u8; 32]);

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey(..)")
    }
}

impl CursorKey {
    /// The key with these bytes; keep them secret and keep them for as long as cursors should live.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The text of a position, good for queries with the scope, filter and order of `query`.
    pub fn encode(&self, position: &CursorPosition, query: &Query) -> String {
        let mut bytes = Vec::with_capacity(TYPE_OFFSET + TAG_SIZE);
        bytes.push(VERSION);
        bytes.extend_from_slice(&position.key.created_at_us.to_le_bytes());
        bytes.extend_from_slice(&position.key.sequence.to_le_bytes());
        bytes.extend_from_slice(position.event_type.as_deref().unwrap_or_default().as_bytes());
        let tag = self.tag(&bytes, query);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position of a text made by [`CursorKey::encode`] for a query with the same scope, filter and order.
    ///
    /// # Errors
    /// `InvalidCursor` if it is anything else.
    pub fn decode(&self, text: &str, query: &Query) -> Result<CursorPosition> {
        self.position(text, query)
            .ok_or_else(|| Error::new(ErrorKind::InvalidCursor, "the cursor does not belong to this query"))
    }

    fn position(&self, text: &str, query: &Query) -> Option<CursorPosition> {
        if text.len() > TEXT_SIZE_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_SIZE)?)?;
        if !bool::from(self.tag(body, query).ct_eq(tag)) || body.first() != Some(&VERSION) {
            return None;
        }
        let time = body.get(TIME_OFFSET..SEQUENCE_OFFSET)?.try_into().ok()?;
        let sequence = body.get(SEQUENCE_OFFSET..TYPE_OFFSET)?.try_into().ok()?;
        let event_type = std::str::from_utf8(body.get(TYPE_OFFSET..)?).ok()?;
        let key = OrderKey { created_at_us: i64::from_le_bytes(time), sequence: u64::from_le_bytes(sequence) };
        Some(CursorPosition { key, event_type: query.order.is_by_type().then(|| event_type.to_owned()) })
    }

    /// 96 bits that nobody without the secret can foresee, always the same for the same parts: ids that a
    /// server makes again when it does something again. `domain` keeps the uses apart.
    pub fn derive_96(&self, domain: &str, parts: &[&[u8]]) -> u128 {
        let mut mac = self.mac();
        for part in [b"annals derived", domain.as_bytes()].iter().chain(parts) {
            // Each under its length, so that no two lists of parts read alike.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().iter().take(12).fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }

    fn tag(&self, body: &[u8], query: &Query) -> [u8; TAG_SIZE] {
        let mut mac = self.mac();
        mac.update(DOMAIN);
        mac.update(&fingerprint(query));
        mac.update(body);
        let mut tag = [0; TAG_SIZE];
        for (byte, computed) in tag.iter_mut().zip(mac.finalize().into_bytes()) {
            *byte = computed;
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Order;
    use annals_engine::{Field, Filter, TenantScope};

    fn position(event_type: Option<&str>) -> CursorPosition {
        let key = OrderKey { created_at_us: 1_736_937_005_123_000, sequence: 42 };
        CursorPosition { key, event_type: event_type.map(str::to_owned) }
    }

    fn scope(realms: &[&str], orgs: &[&str]) -> TenantScope {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        TenantScope::Limited { realms: own(realms), orgs: own(orgs) }
    }

    #[test]
    fn positions_come_back_whatever_the_limit() {
        let key = CursorKey::new([1; 32]);
        let query = Query::new(&scope(&["r"], &[])).limit(5).offset(3);
        let text = key.encode(&position(None), &query);
        assert_eq!(key.decode(&text, &query.clone().limit(50).offset(0)).unwrap(), position(None));
        let query = query.order(Order::EventTypeAsc);
        let long = "\u{e9}".repeat(100);
        let text = key.encode(&position(Some(&long)), &query);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_eq!(key.decode(&text, &query).unwrap(), position(Some(&long)));
    }

    #[test]
    fn alternatives_and_conditions_may_come_in_any_order() {
        let key = CursorKey::new([1; 32]);
        let types = |list: [&str; 2]| Filter::any_of(Field::EventType, list);
        let user = || Filter::term(Field::UserId, "u");
        let first = Query::new(&scope(&["a", "b"], &[])).filter(types(["x", "y"])).filter(user());
        let second = Query::new(&scope(&["b", "a"], &[])).filter(user()).filter(types(["y", "x"]));
        assert_eq!(key.decode(&key.encode(&position(None), &first), &second).unwrap(), position(None));
    }

    #[test]
    fn a_cursor_fits_no_other_query_and_no_other_key() {
        let key = CursorKey::new([1; 32]);
        let query = Query::new(&scope(&["r"], &["o"])).filter(Filter::term(Field::UserId, "u"));
        let text = key.encode(&position(None), &query);
        let foreign = |scope| Query { scope, ..query.clone() };
        let others = [
            foreign(TenantScope::Unlimited),
            foreign(scope(&["o"], &["r"])),
            foreign(scope(&["r", "o"], &[])),
            query.clone().filter(Filter::Acknowledged(true)),
            Query { filter: Filter::All, ..query.clone() },
            Query { filter: Filter::term(Field::UserId, "v"), ..query.clone() },
            Query { filter: Filter::term(Field::ActorId, "u"), ..query.clone() },
            Query { filter: Filter::Prefix(Field::UserId, "u".into()), ..query.clone() },
            Query { filter: Filter::term(Field::UserId, "u").not(), ..query.clone() },
            query.clone().order(Order::CreatedAtAsc),
        ];
        for other in others {
            assert_eq!(key.decode(&text, &other).unwrap_err().kind(), ErrorKind::InvalidCursor, "{other:?}");
        }
        assert!(CursorKey::new([2; 32]).decode(&text, &query).is_err());
        assert!(key.decode(&text, &query).is_ok());
    }

    #[test]
    fn every_changed_or_missing_character_is_refused() {
        let key = CursorKey::new([1; 32]);
        let query = Query::new(&TenantScope::Unlimited).order(Order::EventTypeDesc);
        let text = key.encode(&position(Some("a.b")), &query);
        for position in 0..text.len() {
            assert!(key.decode(&text[..position], &query).is_err());
            for other in ["A", "B", "_", "=", "\u{e9}"] {
                let mut changed = text.clone();
                changed.replace_range(position..=position, other);
                assert!(changed == text || key.decode(&changed, &query).is_err(), "{changed}");
            }
        }
        for wrong in [String::new(), "A".repeat(30), "A".repeat(TEXT_SIZE_MAX + 1), format!("{text}=")] {
            assert_eq!(key.decode(&wrong, &query).unwrap_err().kind(), ErrorKind::InvalidCursor);
        }
    }

    #[test]
    fn cursors_outlive_the_program() {
        // Made by this test once: a change of the text or of the fingerprint would void cursors in use.
        let query = Query::new(&scope(&["r"], &["o"])).filter(Filter::term(Field::UserId, "u"));
        let text = CursorKey::new([7; 32]).encode(&position(None), &query);
        assert_eq!(text, "AbgFMCm8KwYAKgAAAAAAAADGjJz7PUMIGU-vVl_AGXP1");
    }
}
