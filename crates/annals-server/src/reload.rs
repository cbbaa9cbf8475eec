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
    let config = reread()?;
    config.validate()?;
    let certificate = tls::read(&config.tls)?;
    // ORDER: from here on nothing can fail, so that it is all or nothing.
    let mut adopted = state.adopt(&config)?;
    let shown = match (tls, certificate) {
        (Some(tls), Some(certificate)) => {
            let shown = certificate.fingerprint.clone();
            tls.replace(certificate);
            Some(shown)
        }
        (None, None) => None,
        // A listener speaks TLS or does not from its beginning to its end.
        _ => {
            let of_tls = |key: &&'static str| key.starts_with("tls.");
            adopted.waiting.extend(adopted.changed.iter().copied().filter(of_tls));
            adopted.changed.retain(|key| !of_tls(key));
            None
        }
    };
    Ok((adopted, shown))
}
