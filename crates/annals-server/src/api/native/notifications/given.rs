//! What a notification is given: once when it is published, and what may change afterwards.

use annals_engine::{Field, VALUES_MAX};
use annals_json::IncomingEvent;
use serde_json::{Map, Value};

use crate::error::{Answer, Failure};

pub(in crate::api::native) const TYPES: [&str; 3] = ["MAINTENANCE", "ANNOUNCEMENT", "STATUS_UPDATE"];
const CHANGEABLE: [&str; 6] = ["type", "severity", "is_public", "is_global", "target_user_ids", "expires_at"];
/// What a notification always has.
const NEVER_NONE: [&str; 4] = ["type", "severity", "is_public", "is_global"];
const AS_PUBLISHED: [&str; 4] = ["title", "message", "realm_ids", "org_id"];
/// The longest text of a keyword field.
const WORD_SIZE_MAX: usize = 1024;

/// What of a notification may change. `None` is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) notification_type: Option<String>,
    /// One of the four that the store has.
    pub(super) severity: Option<String>,
    pub(super) is_public: Option<bool>,
    pub(super) is_global: Option<bool>,
    pub(super) target_user_ids: Option<Vec<String>>,
    /// UTC microseconds; `Some(None)`: it does not expire.
    #[expect(clippy::option_option, reason = "not given and taken away are two things")]
    pub(super) expires_at_us: Option<Option<i64>>,
}

impl Given {
    /// The body of a change.
    ///
    /// # Errors
    /// 400 for a key that is not known or cannot change, for an ill-typed value, and if nothing is given.
    pub(super) fn read_change(body: &Map<String, Value>) -> Answer<Self> {
        if let Some(name) = body.keys().find(|name| AS_PUBLISHED.contains(&name.as_str())) {
            let message = "stays as it was published: delete this notification and publish the correction";
            return Err(Failure::invalid(name.as_str(), message));
        }
        check_known(body, &CHANGEABLE)?;
        if body.is_empty() {
            return Err(Failure::bad_body(format!("at least one of {} is required", CHANGEABLE.join(", "))));
        }
        let says_nothing = |value: &Value| value.is_null() || value.as_str() == Some("");
        if let Some(name) = NEVER_NONE.into_iter().find(|name| body.get(*name).is_some_and(says_nothing)) {
            return Err(Failure::invalid(name, "cannot be taken away: leave it out to keep it as it is"));
        }
        Self::read(body)
    }

    fn read(body: &Map<String, Value>) -> Answer<Self> {
        let notification_type = match body.get("type") {
            None | Some(Value::Null) => None,
            Some(Value::String(word)) if TYPES.contains(&word.as_str()) => Some(word.clone()),
            Some(_) => return Err(Failure::invalid("type", format!("must be one of {}", TYPES.join(", ")))),
        };
        Ok(Self {
            notification_type,
            severity: word(body, "severity")?.map(|word| annals_json::map_severity(&word).to_owned()),
            is_public: flag(body, "is_public")?,
            is_global: flag(body, "is_global")?,
            target_user_ids: match body.get("target_user_ids") {
                Some(Value::Null) => Some(Vec::new()),
                _ => words(body, "target_user_ids")?,
            },
            expires_at_us: time(body, "expires_at")?,
        })
    }
}

/// A notification as its publisher gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    title: String,
    message: Option<String>,
    realm_ids: Vec<String>,
    org_id: Option<String>,
    /// As it was written: filling in maps it and keeps the word.
    severity: Option<String>,
    given: Given,
}

impl Published {
    /// The body of a new notification.
    ///
    /// # Errors
    /// 400 for a key that is not known, for an ill-typed value, and without a title.
    pub(super) fn read(body: &Map<String, Value>) -> Answer<Self> {
        check_known(body, &[AS_PUBLISHED.as_slice(), CHANGEABLE.as_slice()].concat())?;
        let title = text(body, "title")?.filter(|title| !title.trim().is_empty());
        Ok(Self {
            title: title.ok_or_else(|| Failure::invalid("title", "is required and must not be blank"))?,
            message: text(body, "message")?,
            realm_ids: words(body, "realm_ids")?.unwrap_or_default(),
            org_id: word(body, "org_id")?,
            severity: word(body, "severity")?,
            given: Given::read(body)?,
        })
    }

    /// The event that it is; a notification without targets is for everybody unless it says otherwise.
    pub(super) fn event(&self) -> IncomingEvent<'_> {
        let given = &self.given;
        let targets = given.target_user_ids.as_deref().unwrap_or_default();
        let mut event = IncomingEvent::default();
        event.message = Some(self.title.as_str().into());
        event.content = self.message.as_deref().map(Into::into);
        event.realm_ids = self.realm_ids.iter().map(|realm| realm.as_str().into()).collect();
        event.target_user_ids = targets.iter().map(|user_id| user_id.as_str().into()).collect();
        event.expires_at_us = given.expires_at_us.flatten();
        let word = |yes: bool| if yes { "true" } else { "false" };
        event.set(Field::Notification, word(true));
        event.set(Field::IsPublic, word(given.is_public.unwrap_or(false)));
        event.set(Field::IsGlobal, word(given.is_global.unwrap_or(targets.is_empty())));
        for (field, value) in [
            (Field::NotificationType, &given.notification_type),
            (Field::Severity, &self.severity),
            (Field::OrgId, &self.org_id),
        ] {
            event.set(field, value.as_deref().unwrap_or_default());
        }
        event
    }
}

fn check_known(body: &Map<String, Value>, known: &[&str]) -> Answer<()> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => {
            Err(Failure::invalid(unknown.as_str(), format!("is not known; allowed are {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

/// A text; an empty one is as good as none.
fn text(body: &Map<String, Value>, name: &str) -> Answer<Option<String>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(Failure::invalid(name, "must be a text")),
    }
}

/// The text of a keyword field.
fn word(body: &Map<String, Value>, name: &str) -> Answer<Option<String>> {
    let text = text(body, name)?;
    if text.as_deref().is_some_and(|text| text.len() > WORD_SIZE_MAX) {
        return Err(Failure::invalid(name, format!("must have at most {WORD_SIZE_MAX} bytes")));
    }
    Ok(text)
}

fn words(body: &Map<String, Value>, name: &str) -> Answer<Option<Vec<String>>> {
    let wrong = || {
        let message = format!("must be a list of at most {VALUES_MAX} texts of 1 to {WORD_SIZE_MAX} bytes");
        Failure::invalid(name, message)
    };
    let list = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.len() <= VALUES_MAX => list,
        Some(_) => return Err(wrong()),
    };
    let one = |value: &Value| match value {
        Value::String(text) if (1..=WORD_SIZE_MAX).contains(&text.len()) => Ok(text.clone()),
        _ => Err(wrong()),
    };
    list.iter().map(one).collect::<Answer<Vec<_>>>().map(Some)
}

fn flag(body: &Map<String, Value>, name: &str) -> Answer<Option<bool>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(yes)) => Ok(Some(*yes)),
        Some(_) => Err(Failure::invalid(name, "must be true or false")),
    }
}

/// A time as the native API takes them all; null is none.
#[expect(clippy::option_option, reason = "not given and taken away are two things")]
fn time(body: &Map<String, Value>, name: &str) -> Answer<Option<Option<i64>>> {
    let parsed = match body.get(name) {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(None)),
        Some(Value::String(text)) => annals_json::parse_time(text),
        Some(Value::Number(millis)) => annals_json::parse_millis(&millis.to_string()),
        Some(_) => None,
    };
    let wanted = "must be an RFC 3339 time, such as \"2030-01-31T00:00:00Z\", or a number of milliseconds since 1970";
    parsed.map(|time_us| Some(Some(time_us))).ok_or_else(|| Failure::invalid(name, wanted))
}
