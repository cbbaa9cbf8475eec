//! A request as handlers see it: authorised, decoded, its body still unread.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use bytes::Bytes;

use crate::auth::Principal;
use crate::body::{self, Coding, Pieces};
use crate::error::{Answer, Failure};
use crate::face::Face;
use crate::params::Params;
use crate::state::AppState;
use crate::tls::Encrypted;

/// The longest request id that is taken from a client, inclusive.
const REQUEST_ID_LEN_MAX: usize = 64;

/// An authorised request.
#[expect(clippy::struct_field_names, reason = "a request id is called that everywhere")]
pub(crate) struct Request {
    pub(crate) state: AppState,
    pub(crate) caller: Principal,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    /// The first part of the path that the route leaves open; empty if there is none.
    pub(crate) id: String,
    /// Every part of the path that the route leaves open, by its name in the route.
    pub(crate) open_parts: Vec<(String, String)>,
    /// The host the client asked, without its port.
    pub(crate) host: String,
    /// How the client reached the server: `http://host:port`, for links.
    pub(crate) origin: String,
    /// Where the connection comes from.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) uri: Uri,
    pub(crate) request_id: String,
    pub(crate) face: &'static Face,
    pub(crate) body: Body,
}

impl Request {
    /// What stands in the path where the route says `{name}`; empty if it does not.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.open_parts.iter().find(|(held, _)| held == name).map_or("", |(_, value)| value)
    }

    /// The body of one event, whatever its type says: at most the size of a single create.
    pub(crate) async fn event_body(self) -> Answer<Bytes> {
        let limits = self.state.limits();
        let bytes = self.body(limits.create_size_max).await?;
        body::check_depth(&bytes, limits.json_depth_max)?;
        Ok(bytes)
    }

    /// The body as a JSON object of at most the size of a small body, whatever its type says.
    pub(crate) async fn object(self) -> Answer<serde_json::Map<String, serde_json::Value>> {
        let depth_max = self.state.limits().json_depth_max;
        let bytes = self.small_body().await?;
        body::check_depth(&bytes, depth_max)?;
        body::object(&bytes)
    }

    /// A body of at most the size of a small body, unpacked.
    pub(crate) async fn small_body(self) -> Answer<Bytes> {
        let size_max = self.state.limits().small_size_max;
        self.body(size_max).await
    }

    async fn body(self, size_max: usize) -> Answer<Bytes> {
        let pause_max = self.state.limits().body_pause_max;
        let coding = Coding::of(&self.headers)?;
        let packed = body::read_all(Pieces::new(self.body, pause_max), &self.headers, size_max).await?;
        // So little unpacks faster than another thread could take it over.
        body::unpack(packed, coding, size_max)
    }
}

/// The client's own request id if it is harmless in a log, else a new one.
pub(crate) fn request_id(state: &AppState, headers: &HeaderMap) -> String {
    let harmless = |text: &&str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !text.is_empty() && text.len() <= REQUEST_ID_LEN_MAX && text.bytes().all(byte)
    };
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(|| state.next_request_id(), str::to_owned)
}

/// The host asked for, without its port, in lower case.
pub(crate) fn host(parts: &Parts) -> String {
    authority(parts).split(':').next().unwrap_or_default().to_ascii_lowercase()
}

fn authority(parts: &Parts) -> &str {
    let named = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    named.or_else(|| parts.uri.authority().map(Authority::as_str)).unwrap_or_default()
}

/// Scheme, host and port as the client sees them. A proxy that does TLS says so; what it says goes
/// nowhere but into links for this very client.
pub(crate) fn origin(parts: &Parts) -> String {
    let forwarded = parts.headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    // Of several proxies the first is the one that the client speaks to.
    let nearest = forwarded.and_then(|list| list.split(',').next()).unwrap_or_default().trim();
    let encrypted = parts.extensions.get::<Encrypted>().is_some() || nearest.eq_ignore_ascii_case("https");
    let scheme = if encrypted { "https" } else { "http" };
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    let authority = authority(parts);
    let named = !authority.is_empty() && authority.bytes().all(harmless);
    format!("{scheme}://{}", if named { authority } else { "localhost" })
}

/// Where the connection comes from; `None` without a socket. Forwarded headers are the client's own
/// words and not looked at.
pub(crate) fn peer(parts: &Parts) -> Option<IpAddr> {
    let connection = parts.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()?;
    Some(connection.0.ip().to_canonical())
}

/// Refuses a request line or headers beyond the limits.
pub(crate) fn within_limits(state: &AppState, parts: &Parts) -> Answer<()> {
    use axum::http::StatusCode;
    let limits = state.limits();
    let target_size = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target_size > limits.uri_size_max {
        let message = format!("the request target has more than {} bytes", limits.uri_size_max);
        return Err(Failure::new(StatusCode::URI_TOO_LONG, "uri_too_long", message));
    }
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if parts.headers.len() > limits.headers_max || size > limits.headers_size_max {
        let message = format!(
            "the request has more than {} headers or {} bytes of them",
            limits.headers_max, limits.headers_size_max
        );
        return Err(Failure::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
    }
    Ok(())
}
