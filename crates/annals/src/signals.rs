//! Ctrl-C: the first one asks for an orderly end, the second one ends at once. Both lose nothing
//! that was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Result, while_doing};
use crate::terminal::say;

/// The exit code of a command ended by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether the user wants the command to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for SIGINT and SIGTERM from now on.
    pub(crate) fn listen() -> Result<Self> {
        Self::listen_saying(Some("stopping after what is under way; once more ends at once"))
    }

    /// As [`Stop::listen`], for what ends with Ctrl-C anyway.
    pub(crate) fn listen_quietly() -> Result<Self> {
        Self::listen_saying(None)
    }

    fn listen_saying(words: Option<&'static str>) -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let stop = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(while_doing("listen for Ctrl-C"))?;
        let asked = stop.clone();
        // Registered before this returns, so that no signal falls into a gap.
        let (mut interrupt, mut terminate) = {
            let _context = runtime.enter();
            let listen = |kind| signal(kind).map_err(while_doing("listen for Ctrl-C"));
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
        };
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if asked.0.swap(true, Ordering::Relaxed) {
                        std::process::exit(INTERRUPTED.into());
                    }
                    if let Some(words) = words {
                        say(words);
                    }
                }
            });
        });
        Ok(stop)
    }

    /// As Ctrl-C does.
    #[cfg(test)]
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
