//! Where a request carries its key.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The key of a request in any of the accepted forms: `Bearer K`, `Token K`, a bare `K`, Basic with
/// the key as the password, or `X-API-Key: K`. `Authorization` wins when both headers are there.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| from_authorization(value.as_bytes()));
    authorization.or_else(|| {
        let value = headers.get("x-api-key")?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    })
}

fn from_authorization(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?.trim();
    if value.is_empty() {
        return None;
    }
    let Some((scheme, rest)) = value.split_once(' ') else {
        return Some(value.to_owned());
    };
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(rest.trim().to_owned()),
        "basic" => Some(basic_password(rest.trim()).unwrap_or_default()),
        // An administrator's key may hold blanks.
        _ => Some(value.to_owned()),
    }
}

fn basic_password(encoded: &str) -> Option<String> {
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        from_headers(&headers)
    }

    #[test]
    fn every_scheme_carries_the_same_key() {
        for value in ["Bearer K", "bearer K", "Token K", "K", "Basic dTpL", "Bearer   K "] {
            assert_eq!(key("authorization", value).as_deref(), Some("K"), "{value}");
        }
        assert_eq!(key("x-api-key", "K").as_deref(), Some("K"));
    }

    #[test]
    fn garbled_values_are_wrong_keys_and_empty_ones_are_none() {
        assert_eq!(key("authorization", "Basic %%%").as_deref(), Some(""));
        assert_eq!(key("authorization", "Basic SyM=").as_deref(), Some(""));
        assert_eq!(key("authorization", "").as_deref(), None);
        assert_eq!(key("x-api-key", " ").as_deref(), None);
    }
}
