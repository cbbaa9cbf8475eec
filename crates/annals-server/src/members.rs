//! The members of a JSON object as they were sent: typed where a face knows them, raw where it only
//! keeps them.

use std::borrow::Cow;
use std::fmt;

use annals_engine::{CREATED_AT_US_MAX, CREATED_AT_US_MIN};
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::body::{JSON_DEPTH_MAX, check_depth};
use crate::error::{Answer, Failure};

/// The members of one object in the order they came. Of repeated ones the last counts, and null is as
/// good as absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

/// A text that is only copied where it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    /// Reads a body; an empty one is an empty object.
    ///
    /// # Errors
    /// 400 if it is no JSON object, or nests too deeply.
    pub(crate) fn parse(body: &'a [u8]) -> Answer<Self> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Failure::bad_body(format!("the body is not UTF-8 at byte {}", error.valid_up_to() + 1)))?;
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        check_depth(body, JSON_DEPTH_MAX)?;
        Self::of(text).map_err(|error| match error.classify() {
            Category::Data => Failure::bad_body("the body must be a JSON object"),
            _ => Failure::bad_body(format!("the body is not JSON: {error}")),
        })
    }

    fn of(text: &'a str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let members = (&mut deserializer).deserialize_map(MembersVisitor)?;
        deserializer.end()?;
        Ok(members)
    }

    /// A member's JSON.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, raw) = self.0.iter().rev().find(|(held, _)| held == name)?;
        (*raw != "null").then_some(*raw)
    }

    /// A member that is a text.
    ///
    /// # Errors
    /// 400 if it is anything else, or holds half a character.
    pub(crate) fn text(&self, name: &str) -> Answer<Option<Cow<'a, str>>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        if !raw.starts_with('"') {
            return Err(Failure::invalid(name, "must be a string"));
        }
        match serde_json::from_str(raw) {
            Ok(Text(text)) => Ok(Some(text)),
            Err(_lone) => Err(Failure::invalid(name, "holds a lone surrogate (half of a \\u pair)")),
        }
    }

    /// A member that is true or false.
    ///
    /// # Errors
    /// 400 if it is anything else.
    pub(crate) fn flag(&self, name: &str) -> Answer<Option<bool>> {
        match self.raw(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Failure::invalid(name, "must be true or false")),
        }
    }

    /// A member that is a time an event can have, in UTC microseconds.
    ///
    /// # Errors
    /// 400 if it is anything else.
    pub(crate) fn time_us(&self, name: &str) -> Answer<Option<i64>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match crate::params::iso_time(&text) {
            None => Err(Failure::invalid(name, "must be an RFC 3339 time")),
            Some(time_us) if !(CREATED_AT_US_MIN..=CREATED_AT_US_MAX).contains(&time_us) => {
                Err(Failure::invalid(name, "must lie in the years 1970 to 9999"))
            }
            time_us => Ok(time_us),
        }
    }

    /// A member that is an object.
    ///
    /// # Errors
    /// 400 if it is anything else.
    pub(crate) fn object(&self, name: &str) -> Answer<Option<Members<'a>>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        Self::of(raw).map(Some).map_err(|_no_object| Failure::invalid(name, "must be an object"))
    }

    /// The members of `inner` behind these, of which `name` is left out: where both have one, that of
    /// `inner` counts.
    pub(crate) fn with(mut self, name: &str, inner: Members<'a>) -> Self {
        self.0.retain(|(held, _)| held != name);
        self.0.extend(inner.0);
        self
    }

    /// Those that are not called one of `names`, with their JSON.
    pub(crate) fn others(&self, names: &[&str]) -> Vec<(Cow<'a, str>, &'a str)> {
        self.0.iter().filter(|(held, _)| !names.contains(&&**held)).cloned().collect()
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            members.push((name, map.next_value::<&'de RawValue>()?.get()));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(answer: Answer<impl fmt::Debug>) -> String {
        answer.unwrap_err().message
    }

    #[test]
    fn the_last_of_repeated_members_counts_and_null_is_none() {
        let members = Members::parse(br#"{"a":1,"b":"x\ty","a":"z","c":null,"d":[true]}"#).unwrap();
        assert_eq!(members.text("a").unwrap().as_deref(), Some("z"));
        assert_eq!(members.text("b").unwrap().as_deref(), Some("x\ty"));
        assert_eq!((members.text("c").unwrap(), members.text("e").unwrap()), (None, None));
        assert_eq!(members.others(&["a", "c"]), [("b".into(), r#""x\ty""#), ("d".into(), "[true]")]);
        assert!(Members::parse(b" ").unwrap().others(&[]).is_empty());
    }

    #[test]
    fn what_a_member_is_not_is_said() {
        let members = Members::parse(br#"{"n":5,"s":"soon","h":"\ud800","o":{"n":7},"f":true}"#).unwrap();
        assert_eq!(message(members.text("n")), "n must be a string");
        assert_eq!(message(members.text("h")), "h holds a lone surrogate (half of a \\u pair)");
        assert_eq!(message(members.flag("n")), "n must be true or false");
        assert_eq!(message(members.time_us("s")), "s must be an RFC 3339 time");
        assert_eq!(message(members.time_us("n")), "n must be a string");
        assert_eq!(message(members.object("s")), "s must be an object");
        assert_eq!(members.flag("f").unwrap(), Some(true));
        let both = members.clone().with("o", members.object("o").unwrap().unwrap());
        assert_eq!((both.raw("n"), both.raw("o")), (Some("7"), None));
    }

    #[test]
    fn a_body_is_an_object() {
        assert_eq!(message(Members::parse(b"[1]")), "the body must be a JSON object");
        assert_eq!(message(Members::parse(b"\"a\"")), "the body must be a JSON object");
        assert!(message(Members::parse(b"{\"a\":")).starts_with("the body is not JSON: "));
        assert!(message(Members::parse(b"{} x")).starts_with("the body is not JSON: "));
        assert_eq!(message(Members::parse(b"{\"a\xff\":1}")), "the body is not UTF-8 at byte 4");
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
        assert_eq!(message(Members::parse(deep.as_bytes())), "the body nests deeper than 64 levels");
    }
}
