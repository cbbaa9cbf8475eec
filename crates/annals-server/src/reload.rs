//! SIGHUP: the settings and the certificate again, all of them or nothing.

use serde_json::json;

use crate::config::ServerConfig;
use crate::deed::Deed;
use crate::error::{Failure, Result};
use crate::state::{Adopted, AppState};
use crate::tls::{self, Tls};

/// Reads the settings again and takes over what can change; what is wrong leaves everything as it was. Either
/// way it is written down. Blocks.
pub(crate) fn reload(state: &AppState, tls: Option<&Tls>, reread: &dyn Fn() -> Result<ServerConfig>) {
    let deed = Deed::of_the_server("config.reloaded");
    match apply(state, tls, reread) {
        Ok((Adopted { changed, waiting }, certificate)) => {
            if !waiting.is_empty() {
                let settings = waiting.join(", ");
                tracing::warn!(settings, "changed, and held back until the server is started again");
            }
            let deed = deed.detail("changed", json!(changed)).detail("needs_restart", json!(waiting));
            state.internal().record(&deed.detail("certificate_sha256", json!(certificate)));
        }
        Err(error) => {
            tracing::error!(%error, "the settings are wrong: those from before go on");
            state.internal().record(&deed.failed(&Failure::invalid_settings()));
        }
    }
}

fn apply(
    state: &AppState,
    tls: Option<&Tls>,
    reread: &dyn Fn() -> Result<ServerConfig>,
) -> Result<(Adopted, Option<String>)> {
    let mut config = reread()?;
    config.validate()?;
    let certificate = tls::read(&config.tls)?;
    // A listener speaks TLS or does not from its beginning to its end.
    let turned = tls.is_some() != certificate.is_some();
    if turned {
        config.tls = state.tls_settings();
    }
    // ORDER: behind this nothing can fail, so that it is all or nothing.
    let mut adopted = state.adopt(&config)?;
    if turned {
        adopted.waiting.extend(["tls.cert", "tls.key"]);
    }
    let shown = tls.zip(certificate).map(|(tls, certificate)| {
        let shown = certificate.fingerprint.clone();
        tls.replace(certificate);
        shown
    });
    Ok((adopted, shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_in_the_open_stays_so_and_says_it_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let admin_key = Some("0123456789abcdef".to_owned());
        let running = ServerConfig { admin_key, log_size_bytes: 1 << 20, ..ServerConfig::new(directory.path()) };
        let state = AppState::open(&running).unwrap().state;
        let file = |name: &str| Some(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name));
        let mut other = running.clone();
        other.tls.cert = file("first.pem");
        other.tls.key = file("first.key.pem");
        other.limits.filters_max = 3;
        for changed in [vec!["limits.filters_max"], vec![]] {
            let (adopted, shown) = apply(&state, None, &|| Ok(other.clone())).unwrap();
            assert_eq!((adopted.changed, adopted.waiting), (changed, vec!["tls.cert", "tls.key"]));
            assert_eq!((shown, state.limits().filters_max), (None, 3));
        }
    }
}
