//! The other end of the wire: a running server's native API.

pub(crate) mod follow;

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::failure::{Failure, Result, while_doing};
use crate::trust::{CA_FILE, tls_config};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Longer than any query or append the server allows itself.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(2);
/// Whoever asks for health has others to ask.
const HEALTH_TIME_MAX: Duration = Duration::from_secs(5);
/// A page ends at 16 MiB; statistics and errors are smaller.
const ANSWER_SIZE_MAX: u64 = 256 << 20;
const ATTEMPTS_MAX: u32 = 6;
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// A server and the key to it.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    key: Option<String>,
}

/// What most bodies are.
pub(crate) const JSON: &str = "application/json";

/// A way of changing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Post,
    Put,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorText,
}

#[derive(Deserialize)]
struct ErrorText {
    message: String,
}

impl Client {
    pub(crate) fn new(url: &str, key: Option<String>) -> Result<Self> {
        let authorities = std::env::var_os(CA_FILE).filter(|path| !path.is_empty());
        Self::trusting(url, key, authorities.as_deref().map(Path::new))
    }

    /// The same, believing the authorities of a file instead of the system's.
    fn trusting(url: &str, key: Option<String>, authorities: Option<&Path>) -> Result<Self> {
        let base = url.trim_end_matches('/').to_owned();
        let encrypted = base.starts_with("https://");
        if !encrypted && !base.starts_with("http://") {
            return Err(Failure::new(format_args!(
                "{url:?} is no server's address\nIt looks like http://127.0.0.1:8080."
            )));
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_global(Some(ANSWER_TIME_MAX))
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")));
        let config = if encrypted { config.tls_config(tls_config(authorities)?) } else { config };
        Ok(Self { agent: config.build().new_agent(), base, key: key.filter(|key| !key.is_empty()) })
    }

    /// Reads `path` with its query; anything but success is a failure.
    pub(crate) fn get(&self, path_and_query: &str) -> Result<Vec<u8>> {
        let answer = self.again_and_again(|| {
            let mut request = self.agent.get(format!("{}{path_and_query}", self.base));
            if let Some(key) = &self.key {
                request = request.header("Authorization", format!("Bearer {key}"));
            }
            read(request.call()?)
        })?;
        if answer.status == 200 { Ok(answer.body) } else { Err(self.refused(&answer)) }
    }

    /// Asks once, without a key, and not for long.
    pub(crate) fn ask_health(&self, path: &str) -> Result<Answer> {
        let request = self.agent.get(format!("{}{path}", self.base)).config();
        request
            .timeout_global(Some(HEALTH_TIME_MAX))
            .build()
            .call()
            .and_then(read)
            .map_err(|error| self.unreachable(&error))
    }

    /// Sends `body`, which must be harmless to send twice.
    pub(crate) fn post(&self, path_and_query: &str, content_type: &str, body: &[u8]) -> Result<Answer> {
        self.again_and_again(|| {
            let mut request =
                self.agent.post(format!("{}{path_and_query}", self.base)).header("Content-Type", content_type);
            if let Some(key) = &self.key {
                request = request.header("Authorization", format!("Bearer {key}"));
            }
            read(request.send(body)?)
        })
    }

    /// Sends a body that is meant once: nothing is tried again, and what became of it is known.
    pub(crate) fn send_once(&self, method: Method, path: &str, content_type: &str, body: &[u8]) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut request = ureq::http::Request::builder().method(method.name()).uri(url);
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let request = request.header("Content-Type", content_type).body(body).map_err(Failure::new)?;
        self.agent.run(request).and_then(read).map_err(|error| self.unreachable(&error))
    }

    /// Deletes what a list of the server calls `name`; `what` it is, and the `command` that shows the list, are for
    /// the sentence if there is none.
    pub(crate) fn delete_named(&self, list: &str, name: &str, (what, command): (&str, &str)) -> Result<()> {
        let answer = self.send_once(Method::Delete, &item_path(list, name), JSON, b"")?;
        if answer.status == 404 {
            return Err(Failure::new(format_args!("there is no {what} {name:?}\n`{command}` shows those there are.")));
        }
        self.value(&answer).map(drop)
    }

    /// Asks for something that takes as long as it takes.
    pub(crate) fn post_patiently(&self, path: &str) -> Result<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).config().timeout_global(None).build();
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        request.send_empty().and_then(read).map_err(|error| self.unreachable(&error))
    }

    /// As [`Client::post_patiently`], with a body.
    pub(crate) fn post_patiently_with(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).config().timeout_global(None).build();
        request = request.header("Content-Type", content_type);
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        request.send(body).and_then(read).map_err(|error| self.unreachable(&error))
    }

    /// Tries once more when the server is busy or the connection broke, with growing pauses.
    fn again_and_again(&self, attempt: impl Fn() -> Result<Answer, ureq::Error>) -> Result<Answer> {
        let mut pause = PAUSE_FIRST;
        for _ in 1..ATTEMPTS_MAX {
            match attempt() {
                Ok(answer) if !matches!(answer.status, 429 | 502 | 503 | 504) => return Ok(answer),
                Err(ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    return Err(self.unreachable(&ureq::Error::Io(error)));
                }
                Err(error) if !is_passing(&error) => return Err(self.unreachable(&error)),
                _ => {}
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        attempt().map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let advice = if is_of_tls(error) {
            "If an authority of your own signed its certificate, name that one's in ANNALS_CA_FILE."
        } else {
            "Is `annals serve` running there?"
        };
        Failure::new(format_args!("no answer from {}: {error}\n{advice}", self.base))
    }

    /// The JSON of a success; anything else is a failure.
    pub(crate) fn value(&self, answer: &Answer) -> Result<serde_json::Value> {
        if !matches!(answer.status, 200 | 201) {
            return Err(self.refused(answer));
        }
        serde_json::from_slice(&answer.body).map_err(while_doing("read the server's answer"))
    }

    /// What an answer other than success means to the user.
    pub(crate) fn refused(&self, answer: &Answer) -> Failure {
        let message = serde_json::from_slice::<ErrorBody>(&answer.body).map_or_else(
            |_| String::from_utf8_lossy(&answer.body).chars().take(500).collect(),
            |body| body.error.message,
        );
        let advice = match (answer.status, &self.key) {
            (401, None) => "\nGive a key with --key KEY or in ANNALS_KEY.",
            (401, Some(_)) => "\nThe key is unknown or expired: give another one with --key KEY or in ANNALS_KEY.",
            (403, _) => "\nThe key lacks the permission: an administrator can make one that has it.",
            (404, _) => "\nIs this the address of an Annals server, without a path?",
            _ => "",
        };
        let mut shown = String::new();
        crate::terminal::push_harmless(&mut shown, &message);
        Failure::new(format_args!("{} answered {}: {shown}{advice}", self.base, answer.status))
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER_SIZE_MAX).read_to_vec()?;
    Ok(Answer { status, body })
}

/// Whether the two ends do not agree on TLS, as when the certificate is not believed.
fn is_of_tls(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return matches!(error, ureq::Error::Rustls(_)) };
    let Some(source) = error.get_ref() else { return false };
    source.is::<rustls::Error>()
}

/// Whether trying again can help.
fn is_passing(error: &ureq::Error) -> bool {
    !is_of_tls(error) && matches!(error, ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed)
}

/// The path of one member of a list.
pub(crate) fn item_path(list: &str, name: &str) -> String {
    format!("{list}/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// Appends `name=value` to a query, escaped.
pub(crate) fn push_parameter(query: &mut String, name: &str, value: &str) {
    query.push(if query.contains('?') { '&' } else { '?' });
    query.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
    query.push('=');
    query.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn parameters_are_escaped() {
        let mut query = "/x".to_owned();
        push_parameter(&mut query, "a", "b c&d");
        push_parameter(&mut query, "not.e", "ä");
        assert_eq!(query, "/x?a=b%20c%26d&not%2Ee=%C3%A4");
    }

    #[test]
    fn only_addresses_of_http_are_taken() {
        let authority = file("authority.pem");
        for (url, good) in [("http://h:1/", true), ("https://h", true), ("ftp://h", false), ("h:1", false), ("", false)]
        {
            assert_eq!(Client::trusting(url, None, Some(&authority)).is_ok(), good, "{url}");
        }
        for wrong in ["none.pem", "first.key.pem", "main.rs"] {
            assert!(Client::trusting("https://h", None, Some(&file(wrong))).is_err(), "{wrong}");
        }
    }

    /// Of the server's tests.
    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../annals-server/tests/tls").join(name)
    }

    #[test]
    fn a_server_over_tls_is_asked_if_its_authority_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let admin_key = Some("0123456789abcdef".to_owned());
        let config = annals_server::ServerConfig { admin_key, ..annals_server::ServerConfig::new(folder.path()) };
        let certificate =
            annals_server::TlsSettings { cert: Some(file("first.pem")), key: Some(file("first.key.pem")) };
        let tls = annals_server::Tls::load(&certificate).unwrap().unwrap();
        let state = annals_server::AppState::open(&config).unwrap().state;
        let runtime = annals_server::runtime().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        drop(runtime.spawn(annals_server::serve_tls(state, listener, tls, std::future::pending())));
        let ask = |authority: &str| {
            let client = Client::trusting(&url, config.admin_key.clone(), Some(&file(authority))).unwrap();
            client.get("/annals/v1/stats").map_err(|failure| format!("{failure:?}"))
        };
        assert!(String::from_utf8(ask("authority.pem").unwrap()).unwrap().contains("\"total\":0"));
        let refused = ask("second.pem").unwrap_err();
        assert!(refused.contains("ANNALS_CA_FILE"), "{refused}");
        runtime.shutdown_background();
    }
}
