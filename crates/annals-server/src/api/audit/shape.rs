//! An event as the audit log shows it: 26 members, all of them always there.

use annals_engine::{Field, StoredEvent};
use annals_json::write_text;

use super::integer;

/// Appends an event.
pub(super) fn event(out: &mut Vec<u8>, event: &StoredEvent) {
    let mut object = Object { out, first: true };
    let user_id = event.get(Field::UserId);
    let user_number = user_id.and_then(integer::shown);
    // A user that no number can name acts under the name it has.
    let actor_id = event.get(Field::ActorId).or(user_id.filter(|_| user_number.is_none()));
    let actor_type = if user_id.is_some() { "user" } else { "system" };
    object.text("id", Some(&event.id.to_string()));
    object.key("created_at").push(b'"');
    annals_json::write_iso(object.out, event.created_at_us);
    object.out.push(b'"');
    object.number("user_id", user_number);
    object.text("actor_type", Some(event.get(Field::ActorType).unwrap_or(actor_type)));
    object.text("actor_id", actor_id);
    object.text("source", Some(event.get(Field::Source).unwrap_or("api")));
    object.text("event_group", Some(event.get(Field::EventGroup).unwrap_or_default()));
    object.text("event_type", Some(event.event_type()));
    object.text("status", Some(event.get(Field::Status).unwrap_or("success")));
    object.text("resource_type", event.get(Field::ResourceType));
    object.text("resource_id", event.get(Field::ResourceId));
    object.text("session_id", event.get(Field::SessionId));
    object.text("vm_id", event.get(Field::VmId));
    object.number("task_id", event.get(Field::TaskId).and_then(integer::shown));
    object.text("request_id", event.get(Field::RequestId));
    object.text("correlation_id", event.get(Field::CorrelationId));
    object.text("http_method", event.get(Field::HttpMethod));
    object.text("path", event.get(Field::Path));
    object.number("http_status", event.get(Field::HttpStatus).and_then(integer::shown));
    let latency = event.latency_ms().filter(|latency| latency.is_finite());
    object.raw("latency_ms", latency.map(|latency| serde_json::json!(latency).to_string()).as_deref());
    object.text("ip_address", event.get(Field::IpAddress));
    object.text("user_agent", event.user_agent());
    object.text("node_ip", event.get(Field::NodeIp));
    object.text("worker_id", event.get(Field::WorkerId));
    object.raw("event_payload", event.payload());
    object.text("error_message", event.error_message());
    object.out.push(b'}');
}

struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl Object<'_> {
    /// Appends a key that needs no escapes, and the colon.
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.push(if self.first { b'{' } else { b',' });
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => write_text(self.key(name), text),
            None => self.raw(name, None),
        }
    }

    fn number(&mut self, name: &str, number: Option<i64>) {
        self.raw(name, number.map(|number| number.to_string()).as_deref());
    }

    /// JSON as it is; `null` if there is none.
    fn raw(&mut self, name: &str, json: Option<&str>) {
        self.key(name).extend_from_slice(json.unwrap_or("null").as_bytes());
    }
}
