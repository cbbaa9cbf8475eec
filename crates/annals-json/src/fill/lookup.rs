//! The ids that a payload carries under well-known keys.

use std::borrow::Cow;
use std::fmt;

use annals_engine::Field;
use memchr::{memchr, memmem};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::payload::{KeySeed, Scalar, ScalarSeed};

/// Keys at the payload's top level that stand for a field.
const TOP_LEVEL: [(&str, Field); 6] = [
    ("customer_uuid", Field::OrgId),
    ("project_uuid", Field::ProjectId),
    ("user_uuid", Field::UserId),
    ("affected_user_uuid", Field::AffectedUserUuid),
    ("pat_uuid", Field::PatUuid),
    ("auth_method", Field::AuthMethod),
];

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value<'p> {
    pub(super) text: Cow<'p, str>,
    pub(super) is_number: bool,
}

/// What was found, each in the order in which it counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found<'p> {
    container_project_id: Option<Value<'p>>,
    project_id: Option<Value<'p>>,
    container_id: Option<Value<'p>>,
    top_level: [Option<Value<'p>>; TOP_LEVEL.len()],
}

impl<'p> Found<'p> {
    /// The values with their fields; of two for one field the first counts.
    pub(super) fn into_values(self) -> impl Iterator<Item = (Field, Value<'p>)> {
        let nested = [
            (Field::ProjectId, self.container_project_id),
            (Field::ProjectId, self.project_id),
            (Field::ContainerId, self.container_id),
        ];
        let top_level = TOP_LEVEL.into_iter().zip(self.top_level).map(|((_, field), value)| (field, value));
        nested.into_iter().chain(top_level).filter_map(|(field, value)| Some((field, value?)))
    }

    pub(super) fn into_owned(self) -> Found<'static> {
        let own = |value: Option<Value<'p>>| {
            value.map(|value| Value { text: value.text.into_owned().into(), is_number: value.is_number })
        };
        Found {
            container_project_id: own(self.container_project_id),
            project_id: own(self.project_id),
            container_id: own(self.container_id),
            top_level: self.top_level.map(own),
        }
    }
}

/// Looks into a payload if it may hold something for a field that is `wanted`.
pub(super) fn find(payload: &str, wanted: impl Fn(Field) -> bool) -> Option<Found<'_>> {
    if !worth_reading(payload.as_bytes(), wanted) {
        return None;
    }
    let mut found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_str(payload);
    (&mut deserializer).deserialize_map(TopLevel(&mut found)).ok()?;
    Some(found)
}

/// Whether a payload's key at the top, without escapes, is one that is looked for.
pub(crate) fn may_be_id_key(key: &str) -> bool {
    matches!(key, "container" | "project") || TOP_LEVEL.iter().any(|(known, _)| *known == key)
}

/// Reading a payload costs as much as reading the event: most have none of the keys.
fn worth_reading(payload: &[u8], wanted: impl Fn(Field) -> bool) -> bool {
    let holds = |needle: &[u8]| memmem::find(payload, needle).is_some();
    let nested = wanted(Field::ProjectId) || wanted(Field::ContainerId);
    (nested && holds(b"\"container\""))
        || (wanted(Field::ProjectId) && holds(b"\"project\""))
        || (TOP_LEVEL.iter().any(|(_, field)| wanted(*field)) && (holds(b"_uuid\"") || holds(b"\"auth_method\"")))
        // A key may be written with escapes.
        || (memchr(b'\\', payload).is_some() && holds(b"\\u00"))
}

struct TopLevel<'f, 'p>(&'f mut Found<'p>);

impl<'p> Visitor<'p> for TopLevel<'_, 'p> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match &*key {
                "container" => {
                    let [id, project_id] = map.next_value_seed(NestedSeed(["id", "project_id"]))?;
                    (self.0.container_id, self.0.container_project_id) = (id, project_id);
                }
                "project" => [self.0.project_id] = map.next_value_seed(NestedSeed(["id"]))?,
                key => match TOP_LEVEL.iter().position(|(known, _)| *known == key) {
                    Some(position) => {
                        let value = usable(map.next_value_seed(ScalarSeed)?);
                        if let Some(slot) = self.0.top_level.get_mut(position) {
                            *slot = value;
                        }
                    }
                    None => _ = map.next_value::<IgnoredAny>()?,
                },
            }
        }
        Ok(())
    }
}

/// Texts and whole numbers are ids; anything else is as good as absent.
fn usable(value: Scalar<'_>) -> Option<Value<'_>> {
    match value {
        Scalar::Text(text) if !text.is_empty() => Some(Value { text, is_number: false }),
        Scalar::Unsigned(number) => Some(Value { text: number.to_string().into(), is_number: true }),
        Scalar::Signed(number) => Some(Value { text: number.to_string().into(), is_number: true }),
        _ => None,
    }
}

/// Reads the named members of an object; any other kind of value has none.
struct NestedSeed<const N: usize>([&'static str; N]);

impl<'p, const N: usize> serde::de::DeserializeSeed<'p> for NestedSeed<N> {
    type Value = [Option<Value<'p>>; N];

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let raw: &'p serde_json::value::RawValue = serde::Deserialize::deserialize(deserializer)?;
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        Ok((&mut deserializer).deserialize_map(self).unwrap_or([const { None }; N]))
    }
}

impl<'p, const N: usize> Visitor<'p> for NestedSeed<N> {
    type Value = [Option<Value<'p>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = [const { None }; N];
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match self.0.iter().zip(members.iter_mut()).find(|(name, _)| ***name == *key) {
                Some((_, member)) => *member = usable(map.next_value_seed(ScalarSeed)?),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(members)
    }
}
