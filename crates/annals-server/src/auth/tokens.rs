//! Bearer tokens for users, good for an hour.
//!
//! A token is signed, not kept: whose it is, what it allows, until when, and an HMAC over that with a
//! secret of the store, so that a restart ends none and any number of them costs nothing. Whether the
//! user is still there is asked at each request, so that removing a user ends its tokens at once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::Scopes;

/// Where the secret is kept in the store.
pub(crate) const BLOB: &str = "token-key";
/// How long a token is good for.
pub(crate) const LIFETIME_S: i64 = 3600;
/// Bytes of the id of a user.
pub(crate) const USER_ID_LEN: usize = 8;

const US_PER_S: i64 = 1_000_000;
/// Tells a token from a key, for people and for programs that look for leaked secrets.
const PREFIX: &str = "ant_";
/// Keeps these signatures apart from any other use of the same secret.
const DOMAIN: &[u8] = b"annals token\0";
const VERSION: u8 = 1;
const USER_OFFSET: usize = 1;
const SCOPES_OFFSET: usize = USER_OFFSET + USER_ID_LEN;
const EXPIRY_OFFSET: usize = SCOPES_OFFSET + 2;
const TAG_OFFSET: usize = EXPIRY_OFFSET + 8;
const TAG_LEN: usize = 32;
const TOKEN_LEN: usize = TAG_OFFSET + TAG_LEN;

/// Whose a token is and what it allows at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) user: [u8; USER_ID_LEN],
    pub(crate) scopes: Scopes,
}

/// Signs tokens and knows its own again.
pub(crate) struct Tokens {
    secret: [u8; 32],
}

impl Tokens {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// A token for a user who is good until `expires_at_us`, if that is said, and for how many seconds
    /// it is good.
    pub(crate) fn issue(&self, claim: &Claim, expires_at_us: Option<i64>, now_us: i64) -> (String, i64) {
        let until_us = now_us.saturating_add(LIFETIME_S * US_PER_S);
        let until_us = expires_at_us.map_or(until_us, |at_us| at_us.min(until_us));
        let mut bytes = Vec::with_capacity(TOKEN_LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&claim.user);
        bytes.extend_from_slice(&claim.scopes.bits().to_le_bytes());
        bytes.extend_from_slice(&until_us.to_le_bytes());
        let tag = self.tag(&bytes);
        bytes.extend_from_slice(&tag);
        let seconds = until_us.saturating_sub(now_us).max(0) / US_PER_S;
        (format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)), seconds)
    }

    /// What a token says, if it is one of this store and has not expired.
    pub(crate) fn read(&self, token: &str, now_us: i64) -> Option<Claim> {
        self.read_until(token, now_us).map(|(claim, _)| claim)
    }

    /// The same, with when it expires: UTC microseconds, exclusive.
    pub(crate) fn read_until(&self, token: &str, now_us: i64) -> Option<(Claim, i64)> {
        let text = token.strip_prefix(PREFIX).filter(|text| text.len() <= 2 * TOKEN_LEN)?;
        let bytes: [u8; TOKEN_LEN] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (body, tag) = bytes.split_at_checked(TAG_OFFSET)?;
        if !bool::from(self.tag(body).ct_eq(tag)) || body.first() != Some(&VERSION) {
            return None;
        }
        let user = body.get(USER_OFFSET..SCOPES_OFFSET)?.try_into().ok()?;
        let scopes = u16::from_le_bytes(body.get(SCOPES_OFFSET..EXPIRY_OFFSET)?.try_into().ok()?);
        let until_us = i64::from_le_bytes(body.get(EXPIRY_OFFSET..)?.try_into().ok()?);
        (now_us < until_us).then(|| (Claim { user, scopes: Scopes::from_bits(scopes) }, until_us))
    }

    fn tag(&self, body: &[u8]) -> [u8; TAG_LEN] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("an HMAC takes keys of any length");
        mac.update(DOMAIN);
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scope;

    fn claim() -> Claim {
        Claim { user: [7; USER_ID_LEN], scopes: Scopes::of(&[Scope::EventsRead]) }
    }

    #[test]
    fn a_token_is_good_for_an_hour_or_as_long_as_its_user() {
        let tokens = Tokens::new([1; 32]);
        let hour_us = LIFETIME_S * US_PER_S;
        let (token, seconds) = tokens.issue(&claim(), None, 5);
        assert_eq!((seconds, token.len()), (3600, PREFIX.len() + 68));
        assert_eq!(tokens.read(&token, 5 + hour_us - 1), Some(claim()));
        assert_eq!(tokens.read_until(&token, 6), Some((claim(), 5 + hour_us)));
        assert_eq!(tokens.read(&token, 5 + hour_us), None);
        let (token, seconds) = tokens.issue(&claim(), Some(10 * US_PER_S), 5 * US_PER_S);
        assert_eq!(seconds, 5);
        assert_eq!(tokens.read(&token, 10 * US_PER_S), None);
        assert_eq!(Tokens::new([1; 32]).read(&token, 9 * US_PER_S), Some(claim()), "a restart ends none");
    }

    #[test]
    fn what_was_not_signed_here_is_no_token() {
        let tokens = Tokens::new([1; 32]);
        let (token, _) = tokens.issue(&claim(), None, 5);
        assert_eq!(Tokens::new([2; 32]).read(&token, 6), None, "another store's");
        let text = token.strip_prefix(PREFIX).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            assert_eq!(
                tokens.read(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(flipped)), 6),
                None,
                "byte {position}"
            );
        }
        for wrong in ["", PREFIX, text, &format!("{token}AAAA"), &format!("{PREFIX}%%"), &token[..token.len() - 4]] {
            assert_eq!(tokens.read(wrong, 6), None, "{wrong}");
        }
    }
}
