//! Other settings for a server that runs.

use std::sync::Arc;

use super::{AppState, KIB};
use crate::config::{ServerConfig, TlsSettings};
use crate::error::{Error, Result};
use crate::settings::{Change, table};

/// What came of other settings: the keys of those that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adopted {
    /// They hold from now on.
    pub(crate) changed: Vec<&'static str>,
    /// They hold from the next start on.
    pub(crate) waiting: Vec<&'static str>,
}

impl AppState {
    /// Which certificate and key the listener was given, or was given last.
    pub(crate) fn tls_settings(&self) -> TlsSettings {
        self.0.config.lock().tls.clone()
    }

    /// Takes over what can change while the server runs. Requests under way end by what they began with.
    ///
    /// # Errors
    /// Nobody could administer the store any more: nothing is taken over.
    pub(crate) fn adopt(&self, new: &ServerConfig) -> Result<Adopted> {
        let inner = &self.0;
        let mut running = inner.config.lock();
        if running.admin_key.is_some()
            && new.admin_key.is_none()
            && !inner.identities.stored_admin(self.clock().now_us())
        {
            return Err(Error::config(
                "without an administrator's key nobody could administer the store: make one with the scope admin first",
            ));
        }
        let mut adopted = Adopted::default();
        for setting in table() {
            let value = setting.value(new);
            if value == setting.value(&running) {
                continue;
            }
            match setting.change() {
                Change::Reloaded => {
                    (setting.set)(&mut running, value)
                        .map_err(|wrong| Error::config(format!("{} {wrong}", setting.key)))?;
                    adopted.changed.push(setting.key);
                }
                Change::Restart => adopted.waiting.push(setting.key),
            }
        }
        inner.identities.keys.set_admin(running.admin_key.as_deref());
        let limits = &running.limits;
        inner.wrong_keys.set_per_minute_max(limits.wrong_keys_per_minute_max);
        for (places, count) in [
            (&inner.reads, limits.reads_max),
            (&inner.writes, limits.writes_max),
            (&inner.requests, limits.requests_max),
            (&inner.streams, limits.streams_max),
            (&inner.passwords, limits.passwords_max),
            (&inner.passwords_waiting, limits.passwords_waiting_max),
            (&inner.ingest_memory, limits.ingest_memory_max / KIB),
            (&inner.tails, limits.tails_max),
        ] {
            places.resize(count);
        }
        inner.logged_requests.set(&running.log.requests);
        inner.slow_query_ms.store(super::ms(running.log.slow_query), std::sync::atomic::Ordering::Relaxed);
        *inner.limits.write() = Arc::new(limits.clone());
        *inner.faces.write() = Arc::new(running.faces.clone());
        Ok(adopted)
    }
}
