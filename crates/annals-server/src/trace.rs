//! What is said of a request in the log and in the metrics once it is answered.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::http::{StatusCode, Uri};
use axum::response::Response;

use crate::metrics::Class;
use crate::params::Params;
use crate::state::AppState;

/// Names of filters in a line about a slow query.
const NAMES_MAX: usize = 24;
const NAME_LEN_MAX: usize = 40;
/// Of a key's id: those of names behind a proxy are as long as the proxy likes.
const KEY_ID_LEN_MAX: usize = 80;

/// How many events an answer has, put into its extensions by those who know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows(pub(crate) usize);

/// Which requests get a line.
#[derive(Debug, Default)]
pub(crate) struct LoggedRequests(AtomicU8);

const NONE: u8 = 0;
const FAILED: u8 = 1;
const ALL: u8 = 2;

impl LoggedRequests {
    /// By the word of the setting `log.requests`.
    pub(crate) fn set(&self, word: &str) {
        let which = match word {
            "all" => ALL,
            "none" => NONE,
            _ => FAILED,
        };
        self.0.store(which, Ordering::Relaxed);
    }

    fn wants(&self, status: StatusCode) -> bool {
        match self.0.load(Ordering::Relaxed) {
            ALL => true,
            FAILED => status.is_server_error(),
            _ => false,
        }
    }
}

/// A request on its way through the router.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) request_id: String,
    pub(crate) face: &'static str,
    pub(crate) class: Class,
    /// The path of the route, never of the request.
    pub(crate) route: String,
    pub(crate) method: &'static str,
    /// The public part of the key; `None` until there is a caller.
    pub(crate) key_id: Option<String>,
    pub(crate) target: Uri,
}

impl Trace {
    /// Counts the request, and says what the settings want said.
    pub(crate) fn answered(&self, state: &AppState, response: &Response, took: Duration) {
        let status = response.status();
        state.metrics().answered(self.face, self.class, status.as_u16(), took);
        let took_ms = milliseconds(took);
        let key_id = self.key_id.as_deref().map(|id| shortened(id, KEY_ID_LEN_MAX));
        let key_id = key_id.as_deref().unwrap_or_default();
        let Self { request_id, face, route, method, .. } = self;
        let (request_id, route) = (request_id.as_str(), route.as_str());
        let rows = response.extensions().get::<Rows>().map(|rows| rows.0);
        if state.logged_requests().wants(status) {
            let status = status.as_u16();
            if status < 500 {
                tracing::info!(face, method, route, status, took_ms, rows, key_id, request_id, "answered");
            } else {
                tracing::warn!(face, method, route, status, took_ms, rows, key_id, request_id, "answered");
            }
        }
        if state.slow_query().is_some_and(|slow| took >= slow) && matches!(self.class, Class::Query) {
            state.metrics().slow_query();
            let filters = shape(self.target.query());
            let status = status.as_u16();
            tracing::warn!(face, route, filters, rows, status, took_ms, key_id, request_id, "slow query");
        }
    }
}

/// The names of a query's parameters with how many values each has, and nothing of the values: they may be about
/// people.
fn shape(query: Option<&str>) -> String {
    let Ok(params) = Params::parse(query) else { return String::new() };
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (name, _) in params.iter() {
        match counts.iter_mut().find(|(held, _)| *held == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let mut out = String::new();
    for (name, count) in counts.iter().take(NAMES_MAX) {
        let harmless = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte));
        let name = if harmless && name.len() <= NAME_LEN_MAX { name } else { "?" };
        // Writing to a text cannot fail.
        _ = write!(out, "{}{name}:{count}", if out.is_empty() { "" } else { " " });
    }
    if counts.len() > NAMES_MAX {
        out.push_str(" ...");
    }
    out
}

fn shortened(text: &str, len_max: usize) -> String {
    text.chars().take(len_max).collect()
}

/// With three decimals; more than an hour is an hour and some minutes.
fn milliseconds(took: Duration) -> f64 {
    f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_names_and_counts_and_no_values() {
        let query = "event_type=user.login&event_type=b&q=secret&not.user_id=ada&from=2026-01-01";
        assert_eq!(shape(Some(query)), "event_type:2 q:1 not.user_id:1 from:1");
        assert_eq!(shape(None), "");
    }

    #[test]
    fn a_hostile_name_is_not_repeated() {
        assert_eq!(shape(Some("a%0ab=1&%1b[31m=2&%E2%80%AEx=3&a=b%0a")), "?:1 ?:1 ?:1 a:1");
        let long = "x".repeat(41);
        assert_eq!(shape(Some(&format!("{long}=1"))), "?:1");
        let many = (0..100).map(|index| format!("n{index}=1")).collect::<Vec<_>>().join("&");
        let shape = shape(Some(&many));
        assert!(shape.ends_with("n23:1 ...") && shape.len() < 200, "{shape}");
    }

    #[test]
    fn only_the_requests_asked_for_are_logged() {
        let which = LoggedRequests::default();
        let wants = |word: &str| {
            which.set(word);
            [200, 404, 503].map(|status| which.wants(StatusCode::from_u16(status).unwrap()))
        };
        assert_eq!(wants("all"), [true; 3]);
        assert_eq!(wants("failed"), [false, false, true]);
        assert_eq!(wants("none"), [false; 3]);
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        let shown = |us: u64| milliseconds(Duration::from_micros(us)).to_string();
        assert_eq!([shown(0), shown(7), shown(1_500_020), shown(u64::MAX)], ["0", "0.007", "1500.02", "4294967.295"]);
    }
}
