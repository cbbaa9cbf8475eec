//! What somebody did to the store, as the internal store keeps it.

use std::net::IpAddr;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::auth;
use crate::error::{Answer, Failure};
use crate::request::Request;
use crate::state::AppState;

/// Who did something and by which request.
#[derive(Clone, Debug, Default)]
struct Author {
    user_id: String,
    key_id: String,
    request_id: String,
    face: &'static str,
    peer: Option<IpAddr>,
}

/// One administrative action.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// Such as `key.created`; its group is the part before the dot.
    what: &'static str,
    author: Author,
    /// The type and name of what it was done to.
    subject: Option<(&'static str, String)>,
    /// The filter of a delete, as it was sent.
    filter: Option<String>,
    /// How many it concerned.
    count: Option<u64>,
    /// The code of why it failed.
    failure: Option<&'static str>,
    /// More about it.
    details: Map<String, Value>,
}

impl Request {
    /// Something that the caller of this request does.
    pub(crate) fn deed(&self, what: &'static str) -> Deed {
        let author = Author {
            user_id: self.caller.user_id.clone(),
            key_id: self.caller.key_id.clone(),
            request_id: self.request_id.clone(),
            face: self.face.name,
            peer: self.peer,
        };
        Deed { author, ..Deed::of_the_server(what) }
    }
}

impl Deed {
    /// Something that nobody asked for by a request.
    pub(crate) fn of_the_server(what: &'static str) -> Self {
        let (subject, filter, count, failure) = (None, None, None, None);
        Self { what, author: Author::default(), subject, filter, count, failure, details: Map::new() }
    }

    /// Something that was done on the command line, to a store that no server had open.
    pub(crate) fn of_the_command_line(what: &'static str) -> Self {
        Self { author: Author { face: "cli", ..Author::default() }, ..Self::of_the_server(what) }
    }

    /// Wrong keys from an address, more of them than are looked at.
    pub(crate) fn wrong_keys(face: &'static str, peer: IpAddr, count: u32) -> Self {
        let author = Author { face, peer: Some(peer), ..Author::default() };
        Self { author, failure: Some("rate_limited"), ..Self::of_the_server("auth.failures") }.count(u64::from(count))
    }

    /// Wrong passwords of a name, more of them than are looked at; `user` is the name if somebody has it.
    pub(crate) fn wrong_passwords(face: &'static str, peer: Option<IpAddr>, user: Option<&str>, count: u32) -> Self {
        let author = Author { face, peer, ..Author::default() };
        let deed = Self { author, failure: Some("rate_limited"), ..Self::of_the_server("auth.failures") };
        let deed = deed.count(u64::from(count));
        user.into_iter().fold(deed, |deed, user| deed.on("user", user))
    }

    /// What it is done to.
    pub(crate) fn on(self, resource_type: &'static str, resource_id: impl Into<String>) -> Self {
        Self { subject: Some((resource_type, resource_id.into())), ..self }
    }

    /// The filter that says what it is done to.
    pub(crate) fn filter(self, text: impl Into<String>) -> Self {
        Self { filter: Some(text.into()), ..self }
    }

    pub(crate) fn count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// More about it, for people; never a secret.
    pub(crate) fn detail(mut self, name: &str, value: Value) -> Self {
        self.details.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn failed(self, failure: &Failure) -> Self {
        Self { failure: Some(failure.code), ..self }
    }

    fn actor_type(&self) -> &'static str {
        auth::kind_of(&self.author.user_id, &self.author.key_id)
    }

    /// The event as a line of JSON; its time is when it is stored.
    pub(crate) fn to_line(&self) -> String {
        let Author { user_id, key_id, request_id, face, peer } = &self.author;
        let mut payload = self.details.clone();
        let told = [
            ("filter", json!(self.filter)),
            ("count", json!(self.count)),
            ("result", json!(self.failure.unwrap_or("done"))),
        ];
        payload.extend(
            told.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)),
        );
        let (resource_type, resource_id) =
            self.subject.as_ref().map_or((None, None), |(kind, id)| (Some(kind), Some(id)));
        json!({
            "event_type": self.what,
            "status": if self.failure.is_some() { "failure" } else { "success" },
            "user_id": user_id,
            "actor_type": self.actor_type(),
            "actor_id": key_id,
            "request_id": request_id,
            "source": face,
            "ip_address": peer.map(|address| address.to_string()),
            "resource_type": resource_type,
            "resource_id": resource_id,
            "payload": payload,
        })
        .to_string()
    }

    /// Says it in the server's log too, whose formats escape what clients sent.
    pub(crate) fn log(&self) {
        let Author { user_id, request_id, face, .. } = &self.author;
        let [by, request_id, face] =
            [user_id, request_id, *face].map(|text| Some(text).filter(|text| !text.is_empty()));
        let (count, failure) = (self.count, self.failure);
        let (on, id) = self.subject.as_ref().map(|(kind, id)| (*kind, id.as_str())).unzip();
        tracing::info!(what = self.what, by, on, id, count, failure, face, request_id, "done");
    }
}

impl AppState {
    /// Acts and writes down that it was done, with what `told` adds about the outcome, or that it failed.
    /// What was not done because the caller asked for the wrong thing is not written down, what it may not
    /// do is. Blocks.
    ///
    /// # Errors
    /// Those of `act`; whether it could be written down changes nothing.
    pub(crate) fn audited<T>(
        &self,
        deed: Deed,
        act: impl FnOnce(&AppState) -> Answer<T>,
        told: impl FnOnce(Deed, &T) -> Deed,
    ) -> Answer<T> {
        let done = act(self);
        match &done {
            Ok(outcome) => self.internal().record(&told(deed, outcome)),
            Err(failure) if failure.status == StatusCode::FORBIDDEN || failure.status.is_server_error() => {
                self.internal().record(&deed.failed(failure));
            }
            Err(_not_done) => {}
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(deed: &Deed) -> Value {
        serde_json::from_str(&deed.to_line()).unwrap()
    }

    #[test]
    fn a_deed_says_who_what_where_and_how_it_ended() {
        let author = Author {
            user_id: "ada".to_owned(),
            key_id: "0123".to_owned(),
            request_id: "r1".to_owned(),
            face: "native",
            peer: Some([192, 0, 2, 1].into()),
        };
        let deed = Deed { author, ..Deed::of_the_server("events.deleted") };
        let deed = deed.filter("event_type=x").count(3).detail("more", json!("about it"));
        let expected = json!({
            "event_type": "events.deleted", "status": "success", "user_id": "ada", "actor_type": "key",
            "actor_id": "0123", "request_id": "r1", "source": "native", "ip_address": "192.0.2.1",
            "resource_type": null, "resource_id": null,
            "payload": {"filter": "event_type=x", "count": 3, "result": "done", "more": "about it"},
        });
        assert_eq!(event(&deed), expected);
        let failed = event(&deed.on("event", "7").failed(&Failure::unavailable("disk_full", "full")));
        assert_eq!((&failed["status"], &failed["payload"]["result"]), (&json!("failure"), &json!("disk_full")));
        assert_eq!((&failed["resource_type"], &failed["resource_id"]), (&json!("event"), &json!("7")));
    }

    #[test]
    fn actors_are_told_apart() {
        for (user_id, key_id, actor_type) in [
            ("", "", "system"),
            ("admin", "", "administrator"),
            ("u", "user:u", "user"),
            ("u", "proxy:u", "proxy"),
            ("u", "0123", "key"),
        ] {
            let author = Author { user_id: user_id.to_owned(), key_id: key_id.to_owned(), ..Author::default() };
            let deed = Deed { author, ..Deed::of_the_server("x.y") };
            assert_eq!(event(&deed)["actor_type"], actor_type);
        }
    }
}
