//! What an identity may do and see, whether it shows itself by a key or by a password.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Principal, Scope, Scopes, tenant_of};
use crate::error::{Answer, Failure};
use crate::rates::OwnRates;

const SCOPE_NAME_LEN_MAX: usize = 200;
const USER_ID_LEN_MAX: usize = 1024;
const TENANT_NAME_LEN_MAX: usize = 1024;
/// As many realms as an event can have: what a limited key writes gets all of its realms.
const REALMS_MAX: usize = annals_engine::VALUES_MAX;
const ORGS_MAX: usize = 100;

/// What is kept of it, and shown in lists.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) realms: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) orgs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
    /// UTC microseconds, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at_us: Option<i64>,
}

impl Grant {
    /// The names that [`Grant::parse`] reads.
    pub(crate) const NAMES: [&str; 5] = ["scopes", "realms", "orgs", "user_id", "expires_at"];

    /// Reads it from the body of a request.
    ///
    /// # Errors
    /// 400 naming what is missing, ill-typed, no scope, or an expiry that has passed.
    pub(crate) fn parse(body: &Map<String, Value>, now_us: i64) -> Answer<Self> {
        let names = texts(body, "scopes", Scope::ALL.len(), SCOPE_NAME_LEN_MAX)?
            .ok_or_else(|| Failure::invalid("scopes", "is required"))?;
        let scopes = Scopes::from_names(names.iter().map(String::as_str))
            .map_err(|unknown| Failure::invalid("scopes", format!("holds {unknown:?}, which is no scope")))?;
        if names.is_empty() {
            return Err(Failure::invalid("scopes", "must hold at least one scope: without any nothing is allowed"));
        }
        Ok(Self {
            scopes: scopes.names().into_iter().map(str::to_owned).collect(),
            realms: texts(body, "realms", REALMS_MAX, TENANT_NAME_LEN_MAX)?,
            orgs: texts(body, "orgs", ORGS_MAX, TENANT_NAME_LEN_MAX)?,
            user_id: text(body, "user_id", USER_ID_LEN_MAX)?,
            expires_at_us: expiry(body, now_us)?,
        })
    }

    /// What there is of it, as the members of an answer.
    pub(crate) fn members(&self) -> impl Iterator<Item = (String, Value)> {
        let members = [
            ("scopes", json!(self.scopes)),
            ("realms", json!(self.realms)),
            ("orgs", json!(self.orgs)),
            ("user_id", json!(self.user_id)),
            ("expires_at", json!(self.expires_at_us.map(shown_time))),
        ];
        members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value))
    }

    /// The same as an object.
    pub(crate) fn shown(&self) -> Value {
        Value::Object(self.members().collect())
    }

    pub(crate) fn expired(&self, now_us: i64) -> bool {
        self.expires_at_us.is_some_and(|at| at <= now_us)
    }

    /// Whether it administers the store: a limited one does not.
    pub(crate) fn administers(&self, now_us: i64) -> bool {
        let limited = self.realms.is_some() || self.orgs.is_some();
        !limited && !self.expired(now_us) && self.scopes.iter().any(|name| name == Scope::Admin.name())
    }

    pub(crate) fn scopes(&self) -> Scopes {
        // A scope that a later version knew and this one does not allows nothing.
        let known = self.scopes.iter().filter_map(|name| Scope::from_name(name)).collect::<Vec<_>>();
        Scopes::of(&known)
    }

    /// The caller it makes of `key_id`, who is `user_id` unless it says another.
    pub(crate) fn principal(&self, key_id: String, user_id: impl FnOnce() -> String) -> Principal {
        Principal {
            user_id: self.user_id.clone().unwrap_or_else(user_id),
            key_id,
            scopes: self.scopes(),
            tenant: tenant_of(self.realms.as_deref(), self.orgs.as_deref()),
            rates: OwnRates::default(),
        }
    }
}

/// A time with six decimals.
pub(crate) fn shown_time(time_us: i64) -> String {
    let mut text = Vec::new();
    annals_json::write_micros(&mut text, time_us);
    String::from_utf8_lossy(&text).into_owned()
}

/// # Errors
/// 400 naming a key of the body that is neither one of a grant nor in `own`.
pub(crate) fn only_known(body: &Map<String, Value>, own: &[&str]) -> Answer<()> {
    let known = || own.iter().chain(&Grant::NAMES).copied();
    match body.keys().find(|key| !known().any(|name| name == key.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            let allowed = known().collect::<Vec<_>>().join(", ");
            Err(Failure::invalid(unknown.as_str(), format!("is not known; allowed are {allowed}")))
        }
    }
}

/// A text of 1 to `len_max` bytes, if there is one.
pub(crate) fn text(body: &Map<String, Value>, name: &str, len_max: usize) -> Answer<Option<String>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().any(char::is_control) => {
            Err(Failure::invalid(name, "must have no control characters"))
        }
        Some(Value::String(text)) if !text.is_empty() && text.len() <= len_max => Ok(Some(text.clone())),
        Some(_) => Err(Failure::invalid(name, format!("must be a text of 1 to {len_max} bytes"))),
    }
}

fn texts(body: &Map<String, Value>, name: &str, count_max: usize, len_max: usize) -> Answer<Option<Vec<String>>> {
    let list = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.len() <= count_max => list,
        Some(_) => return Err(Failure::invalid(name, format!("must be a list of texts, at most {count_max}"))),
    };
    let one = |value: &Value| match value {
        Value::String(text) if !text.is_empty() && text.len() <= len_max => Ok(text.clone()),
        _ => Err(Failure::invalid(name, format!("must hold texts of 1 to {len_max} bytes"))),
    };
    list.iter().map(one).collect::<Answer<Vec<_>>>().map(Some)
}

fn expiry(body: &Map<String, Value>, now_us: i64) -> Answer<Option<i64>> {
    const NAME: &str = "expires_at";
    let time = match body.get(NAME) {
        None | Some(Value::Null) => return Ok(None),
        Some(time) => time,
    };
    let wanted = "must be an RFC 3339 time in quotes, such as \"2030-01-31T00:00:00Z\"";
    let at_us = time.as_str().and_then(annals_json::parse_time).ok_or_else(|| Failure::invalid(NAME, wanted))?;
    if at_us <= now_us {
        return Err(Failure::invalid(NAME, "must lie in the future"));
    }
    Ok(Some(at_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &Value) -> Result<Grant, String> {
        Grant::parse(body.as_object().unwrap(), 1_000_000).map_err(|failure| failure.message)
    }

    #[test]
    fn nothing_is_granted_by_no_scopes_or_in_the_past() {
        let good = json!({"scopes": ["events:read"], "expires_at": "1970-01-01T00:00:01.000001Z"});
        assert_eq!(parse(&good).unwrap().expires_at_us, Some(1_000_001));
        assert!(parse(&json!({"scopes": []})).unwrap_err().starts_with("scopes must hold at least one"));
        let past = json!({"scopes": ["events:read"], "expires_at": "1970-01-01T00:00:01Z"});
        assert_eq!(parse(&past).unwrap_err(), "expires_at must lie in the future");
    }

    #[test]
    fn a_limited_or_expired_one_administers_no_store() {
        let grant = Grant { scopes: vec!["admin".to_owned()], expires_at_us: Some(10), ..Grant::default() };
        assert!(grant.administers(9));
        assert!(!grant.administers(10));
        assert!(!Grant { orgs: Some(Vec::new()), ..grant.clone() }.administers(9));
        assert!(!Grant { scopes: vec!["events:read".to_owned()], ..grant }.administers(9));
    }
}
