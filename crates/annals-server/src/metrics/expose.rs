//! `GET /metrics`, on a listener of its own.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use super::collect::Scrape;
use crate::state::AppState;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Scrapes at once: each looks at every segment, and nobody needs many.
const SCRAPES_MAX: usize = 2;

/// `/metrics` as a service, usable without a socket, and nothing else. It asks for no key: whoever reaches it reads it.
pub fn metrics_router(state: AppState) -> Router {
    let scrapes = Arc::new(Semaphore::new(SCRAPES_MAX));
    Router::new().route("/metrics", get(answer)).with_state((state, scrapes))
}

async fn answer(State((state, scrapes)): State<(AppState, Arc<Semaphore>)>, headers: HeaderMap) -> Response {
    let Ok(place) = scrapes.try_acquire_owned() else {
        let wait = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return (StatusCode::SERVICE_UNAVAILABLE, wait, "too many scrapes at once\n").into_response();
    };
    let text = tokio::task::spawn_blocking(move || {
        let _place = place;
        exposition(state)
    });
    let Ok(Ok(text)) = text.await else {
        // A panic is reported where it happens.
        return (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n").into_response();
    };
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|list| list.contains("application/openmetrics-text"));
    let (kind, body) =
        if headers.get_all(header::ACCEPT).iter().any(accepts) { (OPEN_METRICS, text) } else { (PLAIN, plain(&text)) };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, body).into_response()
}

/// Every family, as `OpenMetrics`. Blocks.
fn exposition(state: AppState) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(state)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The same in Prometheus' older format, which every scraper reads: there the family of a counter has the name of its
/// series, and nothing marks the end.
fn plain(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + 1024);
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let of_counter = line
            .strip_prefix("# HELP ")
            .filter(|_| lines.peek().is_some_and(|next| next.starts_with("# TYPE ") && next.ends_with(" counter")));
        // Writing to a text cannot fail.
        match of_counter.and_then(|rest| rest.split_once(' ')) {
            Some((name, help)) => {
                lines.next();
                _ = write!(out, "# HELP {name}_total {help}\n# TYPE {name}_total counter\n");
            }
            None if line == "# EOF" => {}
            None => _ = writeln!(out, "{line}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_counters_in_full() {
        let open = "# HELP a Things.\n# TYPE a counter\na_total 1\n# HELP b Now.\n# TYPE b gauge\nb 2\n# EOF\n";
        let expected =
            "# HELP a_total Things.\n# TYPE a_total counter\na_total 1\n# HELP b Now.\n# TYPE b gauge\nb 2\n";
        assert_eq!(plain(open), expected);
    }
}
