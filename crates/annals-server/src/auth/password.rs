//! Passwords: what is kept of one, and whether another is the same.
//!
//! Argon2id with the least cost that OWASP names (19 MiB, two passes, one lane). A hash carries its
//! own cost, so that a later version may ask for more and still read today's.

use std::hint::black_box;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::hex::{from_hex, to_hex};
use super::keys::random;
use crate::error::{Error, Result};

/// The shortest password that a new user may have, in bytes.
pub(crate) const PASSWORD_LEN_MIN: usize = 8;
/// The longest, in bytes: hashing costs by length as well.
pub(crate) const PASSWORD_LEN_MAX: usize = 1024;

const MEMORY_KIB: u32 = 19 << 10;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;
/// What a stored hash may ask for: above, the list of users is damaged.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 100;
const LANES_MAX: u32 = 16;

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Function {
    Argon2id,
}

/// A salted hash.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct PasswordHash {
    function: Function,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// Hex.
    salt: String,
    /// Hex.
    hash: String,
}

impl PasswordHash {
    /// Hashes a password with a new salt. Takes tens of milliseconds and 19 MiB.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub(crate) fn new(password: &str) -> Result<Self> {
        let mut salt = [0; SALT_LEN];
        random(&mut salt)?;
        let hash = derive(password, &salt, MEMORY_KIB, PASSES, LANES)?;
        Ok(Self {
            function: Function::Argon2id,
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: to_hex(&salt),
            hash: to_hex(&hash),
        })
    }

    /// Whether this is the password. Takes as long for a wrong one.
    ///
    /// # Errors
    /// What is kept cannot be a hash; see [`PasswordHash::check`].
    pub(crate) fn matches(&self, password: &str) -> Result<bool> {
        let (salt, expected) = self.decoded()?;
        let found = derive(password, &salt, self.memory_kib, self.passes, self.lanes)?;
        Ok(bool::from(expected.ct_eq(&found)))
    }

    /// Whether it can be a hash of this function, at a cost that can be borne.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn check(&self) -> Result<()> {
        self.decoded().map(|_| ())
    }

    fn decoded(&self) -> Result<([u8; SALT_LEN], [u8; HASH_LEN])> {
        let bearable = self.memory_kib <= MEMORY_KIB_MAX && self.passes <= PASSES_MAX && self.lanes <= LANES_MAX;
        let decoded = bearable.then(|| Some((from_hex(&self.salt)?, from_hex(&self.hash)?))).flatten();
        decoded.ok_or_else(|| Error::State("a password's hash in the store cannot be one".to_owned()))
    }
}

/// Takes as long as a wrong password of a user there is.
///
/// # Errors
/// There is no memory for it.
pub(crate) fn pretend(password: &str) -> Result<()> {
    let hash = derive(password, &[0; SALT_LEN], MEMORY_KIB, PASSES, LANES)?;
    // Or the compiler may find out that nobody wants it.
    black_box(hash);
    Ok(())
}

fn derive(password: &str, salt: &[u8; SALT_LEN], memory_kib: u32, passes: u32, lanes: u32) -> Result<[u8; HASH_LEN]> {
    let failed = |error: argon2::Error| Error::State(format!("a password cannot be hashed: {error}"));
    let params = Params::new(memory_kib, passes, lanes, Some(HASH_LEN)).map_err(failed)?;
    let mut hash = [0; HASH_LEN];
    let function = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    function.hash_password_into(password.as_bytes(), salt, &mut hash).map_err(failed)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_not_kept() {
        let kept = PasswordHash::new("correct horse").unwrap();
        assert!(kept.matches("correct horse").unwrap());
        assert!(!kept.matches("correct horsf").unwrap());
        assert_ne!(kept, PasswordHash::new("correct horse").unwrap(), "each has its own salt");
        let json = serde_json::to_string(&kept).unwrap();
        assert!(!json.contains("correct"), "{json}");
        assert_eq!(serde_json::from_str::<PasswordHash>(&json).unwrap(), kept);
    }

    #[test]
    fn the_function_is_argon2id_as_others_compute_it() {
        // Computed with the reference implementation in C.
        let hash = derive("password", b"somesaltsomesalt", 19456, 2, 1).unwrap();
        assert_eq!(to_hex(&hash), "2b5dc4054886ec957ef59c73b661c54dd6fb274590b278f657c6d96aac8fa6d1");
    }

    #[test]
    fn what_can_be_no_hash_is_said_to_be_none() {
        let kept = PasswordHash::new("correct horse").unwrap();
        for bad in [
            PasswordHash { memory_kib: MEMORY_KIB_MAX + 1, ..kept.clone() },
            PasswordHash { passes: u32::MAX, ..kept.clone() },
            PasswordHash { lanes: LANES_MAX + 1, ..kept.clone() },
            PasswordHash { salt: "zz".repeat(SALT_LEN), ..kept.clone() },
            PasswordHash { hash: "00".to_owned(), ..kept.clone() },
        ] {
            assert!(bad.check().is_err() && bad.matches("correct horse").is_err());
        }
        assert!(kept.check().is_ok());
    }
}
