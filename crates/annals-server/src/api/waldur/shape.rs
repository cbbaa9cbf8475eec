//! An event as waldur shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_engine::{Field, StoredEvent};
use annals_json::write_text;
use serde_json::value::RawValue;

use super::uuid;
use crate::pages::WriteEvent;
use crate::params::Params;

/// The members of an event, in the order in which they are shown.
const MEMBERS: [&str; 5] = ["uuid", "created", "event_type", "message", "context"];

/// Fields that the context shows under a name of its own as a UUID, if they are one.
const OWNERS: [(Field, &str); 3] =
    [(Field::OrgId, "customer_uuid"), (Field::ProjectId, "project_uuid"), (Field::UserId, "user_uuid")];
/// UUIDs, but not necessarily.
const PEOPLE: [Field; 2] = [Field::AffectedUserUuid, Field::PatUuid];
/// Fields that the context shows under their own name.
const OTHERS: [Field; 15] = [
    Field::Severity,
    Field::Status,
    Field::Source,
    Field::ResourceType,
    Field::ResourceId,
    Field::AuthMethod,
    Field::SessionId,
    Field::VmId,
    Field::TaskId,
    Field::RequestId,
    Field::CorrelationId,
    Field::HttpMethod,
    Field::Path,
    Field::HttpStatus,
    Field::IpAddress,
];

/// Which members to show: those that `field` names, all if it names none of them.
pub(super) fn members(params: &Params) -> [bool; MEMBERS.len()] {
    let asked = MEMBERS.map(|member| params.iter().any(|(name, value)| name == "field" && value == member));
    if asked.contains(&true) { asked } else { [true; MEMBERS.len()] }
}

/// Writes events with these members.
pub(super) fn writer(members: [bool; MEMBERS.len()]) -> WriteEvent {
    Arc::new(move |out, stored| event(out, stored, members))
}

fn event(out: &mut Vec<u8>, event: &StoredEvent, members: [bool; MEMBERS.len()]) {
    let mut mark = b'{';
    for (name, _) in MEMBERS.iter().zip(members).filter(|(_, shown)| *shown) {
        out.push(mark);
        mark = b',';
        write_text(out, name);
        out.push(b':');
        match *name {
            "uuid" => write_text(out, &event.id.to_simple()),
            "created" => {
                out.push(b'"');
                annals_json::write_iso(out, event.created_at_us);
                out.push(b'"');
            }
            "event_type" => write_text(out, event.event_type()),
            "message" => write_text(out, event.message().unwrap_or_default()),
            _ => context(out, event),
        }
    }
    out.push(b'}');
}

/// What the event itself says goes before what its payload says under the same name, so that the
/// context shows what filters find.
fn context(out: &mut Vec<u8>, event: &StoredEvent) {
    let mut own: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (field, name) in OWNERS {
        if let Some(digits) = event.get(field).and_then(uuid::shown) {
            own.insert(name, text(&digits));
        }
    }
    for field in PEOPLE {
        if let Some(value) = event.get(field) {
            own.insert(field.name(), uuid::shown(value).map_or_else(|| text(value), |digits| text(&digits)));
        }
    }
    for field in OTHERS {
        if let Some(value) = event.get(field) {
            let is_number =
                event.numbers().contains(field) && serde_json::from_str::<serde_json::Number>(value).is_ok();
            own.insert(field.name(), if is_number { value.as_bytes().to_vec() } else { text(value) });
        }
    }
    // A payload was checked to be an object when it came in. Of a repeated key the last value counts.
    let payload = event.payload().and_then(|payload| serde_json::from_str(payload).ok());
    let payload: BTreeMap<String, &RawValue> = payload.unwrap_or_default();
    let mut mark = b'{';
    let mut member = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
        out.push(mark);
        mark = b',';
        write_text(out, name);
        out.push(b':');
        out.extend_from_slice(value);
    };
    for (name, value) in payload.iter().filter(|(name, _)| !own.contains_key(name.as_str())) {
        member(out, name, value.get().as_bytes());
    }
    for (name, value) in &own {
        member(out, name, value);
    }
    if payload.is_empty() && own.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
}

fn text(value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 2);
    write_text(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_choose_members_and_unknown_ones_are_no_choice() {
        let chosen = |query: &str| members(&Params::parse(Some(query)).unwrap());
        assert_eq!(chosen(""), [true; 5]);
        assert_eq!(chosen("field=uuid&field=message"), [true, false, false, true, false]);
        assert_eq!(chosen("field=context&field=x"), [false, false, false, false, true]);
        assert_eq!(chosen("field=x&field="), [true; 5]);
    }
}
