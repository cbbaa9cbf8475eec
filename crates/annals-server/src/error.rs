//! Two kinds of error: [`Error`], why the server does not run, and [`Failure`], what a request is
//! answered with. A failure is neutral; each face gives it the body its clients know.

use axum::http::StatusCode;

use crate::auth::Scope;

/// Why the server cannot start or go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong; the sentence says which and what to do.
    Config(String),
    /// The store cannot be opened or refuses.
    Engine(annals_engine::Error),
    /// The operating system refuses; the sentence says what.
    Io(String, std::io::Error),
    /// What is kept in the store beside the events cannot be read.
    State(String),
}

/// The server's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Config(message.into())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(message) | Self::State(message) => f.write_str(message),
            Self::Engine(error) => error.fmt(f),
            Self::Io(action, error) => write!(f, "cannot {action}: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            Self::Io(_, error) => Some(error),
            Self::Config(_) | Self::State(_) => None,
        }
    }
}

impl From<annals_engine::Error> for Error {
    fn from(error: annals_engine::Error) -> Self {
        Self::Engine(error)
    }
}

/// One thing wrong with a request's parameters or body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// The parameter's or the key's name.
    pub(crate) place: String,
    /// What it must be.
    pub(crate) message: String,
}

/// Why a request is not answered with what it asked for.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// A word for programs, the same for the same cause.
    pub(crate) code: &'static str,
    /// A sentence for people: what, where, what to do. No paths, no text of the operating system.
    pub(crate) message: String,
    /// What is wrong with which parameter; faces that name them one by one need it.
    pub(crate) details: Vec<Detail>,
    pub(crate) retry_after_s: Option<u64>,
    /// For 405: the methods there are.
    pub(crate) allow: Option<String>,
    /// For 403: what the key would need.
    pub(crate) needed: Option<Scope>,
    /// The body, if the face has put it together already. Boxed, so that answers stay small.
    pub(crate) body: Option<Box<serde_json::Value>>,
}

/// What a request is answered with.
pub(crate) type Answer<T = axum::response::Response> = std::result::Result<T, Failure>;

/// Clients that are told to come back wait this long.
const RETRY_AFTER_S: u64 = 1;

impl Failure {
    /// The code of a path whose open parts are not text: faces differ on what that is.
    pub(crate) const INVALID_PATH: &str = "invalid_path";

    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after_s: None,
            allow: None,
            needed: None,
            body: None,
        }
    }

    /// 400 about one named parameter or key.
    pub(crate) fn invalid(place: impl Into<String>, message: impl Into<String>) -> Self {
        let detail = Detail { place: place.into(), message: message.into() };
        let message = format!("{} {}", detail.place, detail.message);
        Self { details: vec![detail], ..Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message) }
    }

    /// 400 about several at once; `None` if there is nothing to complain about.
    pub(crate) fn invalid_all(details: Vec<Detail>) -> Option<Self> {
        let sentences: Vec<String> = details.iter().map(|one| format!("{} {}", one.place, one.message)).collect();
        let message = sentences.join("; ");
        let failure = Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message);
        (!details.is_empty()).then_some(Self { details, ..failure })
    }

    /// Settings that are not taken over; nobody is answered with it.
    pub(crate) fn invalid_settings() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_settings", "the settings are wrong")
    }

    /// 400 about the body as a whole.
    pub(crate) fn bad_body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", message)
    }

    /// 401 because there is no key.
    pub(crate) fn no_key() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a key is needed")
    }

    /// 401 because the key is not a good one.
    pub(crate) fn wrong_key() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_key", "the key or token is unknown, revoked or expired")
    }

    /// A refusal whose body only the face itself can put together.
    pub(crate) fn with_body(status: StatusCode, code: &'static str, body: serde_json::Value) -> Self {
        Self { body: Some(Box::new(body)), ..Self::new(status, code, code) }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 403 because the key lacks `scope`.
    pub(crate) fn lacks(scope: Scope) -> Self {
        let message = format!("the key lacks the scope {scope}");
        Self { needed: Some(scope), ..Self::forbidden(message) }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn method_not_allowed(method: &str, allow: String) -> Self {
        let message = format!("{method} is not a method of this path, it has {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message) }
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 503 that passes by itself.
    pub(crate) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self { retry_after_s: Some(RETRY_AFTER_S), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    pub(crate) fn too_expensive() -> Self {
        let message = "the query takes longer or goes through more events than it may: ask for a shorter time range, \
                       for another filter, or for total=none";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "query_too_expensive", message)
    }

    pub(crate) fn rate_limited(retry_after_s: u64) -> Self {
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many wrong keys from this address");
        Self { retry_after_s: Some(retry_after_s), ..failure }
    }

    /// 500; what happened goes to the log, not to the client.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
    }
}

impl From<&annals_engine::Error> for Failure {
    fn from(error: &annals_engine::Error) -> Self {
        use annals_engine::ErrorKind;
        match error.kind() {
            ErrorKind::InvalidInput => Self::new(StatusCode::BAD_REQUEST, "invalid_input", error.message()),
            ErrorKind::NotFound => Self::not_found("there is no such thing in the store"),
            ErrorKind::Busy => Self::unavailable("busy", "the queue is full: retry later"),
            ErrorKind::DiskFull => Self::unavailable(
                "disk_full",
                "the disk is full: reads and deletes work, appends resume when there is room",
            ),
            ErrorKind::Poisoned => Self::unavailable("read_only", "the store takes no writes until it is opened again"),
            ErrorKind::Conflict => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "this Idempotency-Key was used with another body: use a new key for a new request",
            ),
            // Which hold it is, is not everybody's to know.
            ErrorKind::Held => Self::new(
                StatusCode::CONFLICT,
                "held",
                "a legal hold keeps the event as it is: an administrator must release the hold first",
            ),
            ErrorKind::Corrupt => {
                tracing::error!(%error, "stored bytes are damaged");
                let message = "a segment that the request needs is damaged: the operator must restore it or let it go";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "segment_damaged", message)
            }
            _ => Self::internal(error),
        }
    }
}

impl From<annals_engine::Error> for Failure {
    fn from(error: annals_engine::Error) -> Self {
        Self::from(&error)
    }
}

impl From<annals_query::Error> for Failure {
    fn from(error: annals_query::Error) -> Self {
        use annals_query::ErrorKind;
        match (error.kind(), error.engine()) {
            (ErrorKind::NotFound, _) => Self::not_found("there is no such event"),
            (ErrorKind::Forbidden, _) => Self::forbidden("the event belongs to a foreign realm as well"),
            (ErrorKind::InvalidCursor, _) => {
                Self::invalid("cursor", "does not belong to this query: start from the first page")
            }
            (ErrorKind::TooExpensive, _) => Self::too_expensive(),
            (_, Some(engine)) => engine.into(),
            (ErrorKind::InvalidInput, None) => Self::new(StatusCode::BAD_REQUEST, "invalid_input", error.to_string()),
            _ => Self::internal(&error),
        }
    }
}
