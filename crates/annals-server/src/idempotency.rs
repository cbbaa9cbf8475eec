//! `Idempotency-Key`: what makes repeating a request without ids harmless.

use annals_engine::Idempotency;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::auth::Principal;
use crate::error::{Answer, Failure};

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
const LEN_MAX: usize = 128;

/// The hash of a request's key together with whose it is; `None` if it has none.
///
/// # Errors
/// 400 for a key that is empty, too long or not printable.
pub(crate) fn key(headers: &HeaderMap, caller: &Principal) -> Answer<Option<u128>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let bytes = value.as_bytes();
    let printable = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if bytes.is_empty() || bytes.len() > LEN_MAX || !printable {
        let message = format!("must be 1 to {LEN_MAX} printable ASCII characters");
        return Err(Failure::invalid("Idempotency-Key", message));
    }
    let mut hash = Sha256::new();
    // A key's id holds no NUL, so no two principals' keys meet.
    hash.update(caller.key_id.as_bytes());
    hash.update([0]);
    hash.update(bytes);
    let digest: [u8; 32] = hash.finalize().into();
    let key = digest.first_chunk::<16>().map_or(0, |first| u128::from_le_bytes(*first));
    Ok(Some(key.max(1)))
}

/// The key with what tells two bodies apart: of what they unpack to, so that a retry may pack
/// differently.
pub(crate) fn of_body(key: u128, plain: &[u8]) -> Idempotency {
    let digest: [u8; 32] = Sha256::digest(plain).into();
    Idempotency { key, body: digest.first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first)) }
}

/// The same for a call whose path says part of what is to be done. `parts` hold no control characters.
pub(crate) fn of_call(key: u128, parts: &[&str], plain: &[u8]) -> Idempotency {
    let mut whole = parts.join("\0").into_bytes();
    whole.push(0);
    whole.extend_from_slice(plain);
    of_body(key, &whole)
}

/// 409: the first use of the key has not been answered yet.
pub(crate) fn still_running() -> Failure {
    Failure::new(StatusCode::CONFLICT, "idempotency_running", "a request with this Idempotency-Key is still running")
}
