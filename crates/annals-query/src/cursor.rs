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

    fn tag(&self, body: &[u8], query: &Query) -> [u8; TAG_SIZE] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
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
