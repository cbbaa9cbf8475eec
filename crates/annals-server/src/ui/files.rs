//! The files themselves, with what they are packed to.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Every file with its path from within `ui/`, ascending: made by `build.rs`.
static LISTED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// Packed once in the life of a server: as small as it gets.
const ZSTD_LEVEL: i32 = 19;
/// Bytes of the hash that names what is in a file; nobody forges a file to be sent the wrong one of ours.
const ETAG_BYTES: usize = 12;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }
}

/// A file of the page.
#[derive(Debug)]
pub(super) struct File {
    path: &'static str,
    plain: &'static [u8],
    etag: String,
    gzip: OnceLock<Bytes>,
    zstd: OnceLock<Bytes>,
}

/// The file of a path from within `ui/`. Paths are compared as they are: nothing is decoded and no folder is looked into.
pub(super) fn find(path: &str) -> Option<&'static File> {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    let files = FILES.get_or_init(|| LISTED.iter().map(|(path, plain)| File::new(path, plain)).collect());
    files.binary_search_by(|file| file.path.cmp(path)).ok().and_then(|at| files.get(at))
}

impl File {
    fn new(path: &'static str, plain: &'static [u8]) -> Self {
        let hash = Sha256::digest(plain);
        let etag = URL_SAFE_NO_PAD.encode(hash.get(..ETAG_BYTES).unwrap_or_default());
        Self { path, plain, etag, gzip: OnceLock::new(), zstd: OnceLock::new() }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }

    /// Names what is sent: each packing is another representation.
    pub(super) fn etag(&self, coding: Coding) -> String {
        match coding {
            Coding::Identity => format!("\"{}\"", self.etag),
            packed => format!("\"{}-{}\"", self.etag, packed.name()),
        }
    }

    /// The smallest of what the client takes.
    pub(super) fn coding(&self, asked: &HeaderMap) -> Coding {
        let taken = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let by_preference = [Coding::Zstd, Coding::Gzip].into_iter().filter(|coding| takes(taken, coding.name()));
        by_preference
            .min_by_key(|coding| self.bytes(*coding).len())
            .filter(|coding| self.pays(*coding))
            .unwrap_or(Coding::Identity)
    }

    fn pays(&self, coding: Coding) -> bool {
        self.bytes(coding).len() < self.plain.len()
    }

    pub(super) fn bytes(&self, coding: Coding) -> Bytes {
        // Packing in memory does not fail; if it did, the file would be sent as it is.
        let plain = || Bytes::from_static(self.plain);
        match coding {
            Coding::Identity => plain(),
            Coding::Gzip => self.gzip.get_or_init(|| gzip(self.plain).unwrap_or_else(|_| plain())).clone(),
            Coding::Zstd => {
                let packed = || zstd::encode_all(self.plain, ZSTD_LEVEL).map_or_else(|_| plain(), Bytes::from);
                self.zstd.get_or_init(packed).clone()
            }
        }
    }
}

fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?.into())
}

/// Whether a client that sent this as its `Accept-Encoding` takes a coding.
fn takes(accepted: &str, coding: &str) -> bool {
    let mut any = false;
    for item in accepted.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        });
        if name.eq_ignore_ascii_case(coding) {
            return !refused;
        }
        any |= name == "*" && !refused;
    }
    any
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn files_are_in_order_and_unpack_to_themselves() {
        assert!(LISTED.is_sorted_by(|a, b| a.0 < b.0));
        for (path, plain) in LISTED {
            let file = find(path).unwrap();
            assert_eq!(zstd::decode_all(&*file.bytes(Coding::Zstd)).unwrap(), *plain, "{path}");
            assert_ne!(file.kind(), "application/octet-stream", "{path}");
        }
        assert!(find("").is_none() && find("index.htm").is_none() && find("../Cargo.toml").is_none());
    }

    #[test]
    fn the_smallest_that_is_taken_is_sent() {
        let coding = |file: &File, accepted: &'static str| {
            file.coding(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
        };
        let long = File::new("a.js", "let x = 1;\n".repeat(500).leak().as_bytes());
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip;q=1.0, br", Coding::Gzip),
            ("GZIP", Coding::Gzip),
            ("zstd;q=0, gzip;q=0.5", Coding::Gzip),
            ("*", Coding::Zstd),
            ("*, zstd;q=0", Coding::Gzip),
            ("*;q=0", Coding::Identity),
            ("identity", Coding::Identity),
            ("xgzip", Coding::Identity),
            ("", Coding::Identity),
        ] {
            assert_eq!(coding(&long, accepted), expected, "{accepted}");
        }
        let short = File::new("a.js", b"1");
        assert_eq!(coding(&short, "gzip, zstd"), Coding::Identity, "packing would make it longer");
        let tags: Vec<String> =
            [Coding::Identity, Coding::Gzip, Coding::Zstd].iter().map(|one| long.etag(*one)).collect();
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags.iter().all(|tag| tag.starts_with('"')));
    }
}
