//! The calls of the native API that the clients need.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::Failure;
use crate::batch::{Batch, Place};

/// The administrator's key of every server of a run.
pub(crate) const KEY: &str = "kill-loop-administrator";
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);
const ANSWER_SIZE_MAX: u64 = 64 << 20;

/// One connection's worth of calls.
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What a call came to.
pub(crate) enum Answer {
    Done(Value),
    /// The server said no: nothing was done.
    Refused,
    /// The server cannot say, or not now; with the code it gave.
    Unavailable(String),
    /// No answer: it may be done or not.
    Gone,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER_TIME_MAX)).build();
        Self { agent: config.new_agent(), base: format!("http://{address}") }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let answer = self.agent.get(format!("{}/readyz", self.base)).call();
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Sends a batch.
    pub(crate) fn append(&self, batch: &Batch) -> Answer {
        let mut request = self
            .agent
            .post(format!("{}/annals/v1/events", self.base))
            .header("Authorization", format!("Bearer {KEY}"))
            .header("Content-Type", "application/x-ndjson");
        if let Some(key) = batch.key() {
            request = request.header("Idempotency-Key", key);
        }
        read(request.send(batch.body()))
    }

    pub(crate) fn delete(&self, id: &str) -> Answer {
        let path = format!("{}/annals/v1/events/{id}", self.base);
        read(self.agent.delete(path).header("Authorization", format!("Bearer {KEY}")).call())
    }

    pub(crate) fn acknowledge(&self, id: &str) -> Answer {
        let path = format!("{}/annals/v1/events/{id}/acknowledge", self.base);
        read(self.agent.post(path).header("Authorization", format!("Bearer {KEY}")).send_empty())
    }

    /// Everything that matches, page by page. The total of the first page must be as many.
    pub(crate) fn list(&self, filter: &str) -> Result<Vec<Place>, Failure> {
        let mut places = Vec::new();
        let mut cursor = String::new();
        let mut total = None;
        loop {
            let path = format!("{}/annals/v1/events?limit=10000{filter}{cursor}", self.base);
            let Answer::Done(page) = read(self.agent.get(path).header("Authorization", format!("Bearer {KEY}")).call())
            else {
                return Err("the events cannot be listed".into());
            };
            total = total.or_else(|| page.get("total").and_then(Value::as_u64));
            let events = page.get("events").and_then(Value::as_array).ok_or("a page without events")?;
            for event in events {
                places.push(Place::of_event(event).ok_or_else(|| format!("a strange event: {event}"))?);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if total != u64::try_from(places.len()).ok() {
            return Err(format!("the total is {total:?}, {} events are listed", places.len()).into());
        }
        Ok(places)
    }
}

/// The events that are there now because of a batch.
pub(crate) fn stored(answer: &Value) -> u64 {
    let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    count("accepted") + count("duplicates")
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let Ok(mut answer) = answer else { return Answer::Gone };
    let status = answer.status().as_u16();
    let Ok(body) = answer.body_mut().with_config().limit(ANSWER_SIZE_MAX).read_to_vec() else { return Answer::Gone };
    match status {
        200 => serde_json::from_slice(&body).map_or(Answer::Gone, Answer::Done),
        500.. => {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            Answer::Unavailable(code(&body).unwrap_or_else(|| status.to_string()))
        }
        _ => Answer::Refused,
    }
}

/// The code of an error's body, wherever a face puts it.
fn code(body: &Value) -> Option<String> {
    let own = body.get("code").or_else(|| body.get("error")?.get("code"));
    own.and_then(Value::as_str).map(str::to_owned)
}
