//! Where the events are: a store's directory, or a server.

use std::path::{Path, PathBuf};

use annals_engine::{Engine, ErrorKind, Options};
use clap::Args;

use crate::client::Client;
use crate::failure::{Failure, Result};
use crate::terminal::{push_harmless, say};

/// The store's directory unless told otherwise.
pub(crate) const DATA_DEFAULT: &str = annals_server::DIRECTORY_DEFAULT;
/// Where a server listens unless told otherwise.
pub(crate) const SERVER_DEFAULT: &str = "http://127.0.0.1:8080";

/// What else a command with a [`Target`] takes.
pub(crate) const OR_A_SERVER: &str = "or a running server with --url URL";

/// A store's directory, or a server.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The store's directory; no server may have it open [default: ./annals-data]
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub(crate) data: Option<PathBuf>,
    /// A running server instead
    #[arg(
        long,
        alias = "server",
        value_name = "URL",
        help = "A running server instead, for example http://127.0.0.1:8080"
    )]
    pub(crate) url: Option<String>,
    /// The key for the server
    #[arg(long, value_name = "KEY", env = "ANNALS_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// A server, for commands that have no other way.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The running server
    #[arg(long, alias = "server", value_name = "URL", default_value = SERVER_DEFAULT)]
    url: String,
    /// The key for the server
    #[arg(long, value_name = "KEY", env = "ANNALS_KEY", hide_env_values = true)]
    key: Option<String>,
}

impl Server {
    pub(crate) fn client(&self) -> Result<Client> {
        Client::new(&self.url, self.key.clone())
    }
}

impl Target {
    /// The directory to use when no server was named.
    pub(crate) fn directory(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(DATA_DEFAULT))
    }

    /// The server, if one was named.
    pub(crate) fn client(&self) -> Result<Option<Client>> {
        self.url.as_deref().map(|url| Client::new(url, self.key.clone())).transpose()
    }
}

/// Opens a store that is there, to read it: nothing runs in the background. For commands with a [`Target`].
pub(crate) fn open_existing(directory: &Path) -> Result<Engine> {
    require_store(directory, OR_A_SERVER)?;
    let engine = Engine::open(options_to_read(directory))?;
    say_recovery(&engine);
    Ok(engine)
}

/// Fails with advice if there is nothing in `directory`; `or_else` is what else could have been named.
pub(crate) fn require_store(directory: &Path, or_else: &str) -> Result<()> {
    let is_empty = std::fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        let comma = if or_else.is_empty() { "" } else { ", " };
        return Err(Failure::new(format_args!(
            "there is no store in {}\nName one with --data DIR{comma}{or_else}.",
            directory.display()
        )));
    }
    Ok(())
}

/// Opens what the server's crate has of a store that no server has open, and says what recovery did; `or_else` is what
/// else could have been named.
pub(crate) fn offline<T>(
    directory: &Path,
    or_else: &str,
    open: impl FnOnce(&Path) -> annals_server::Result<T>,
    notes: impl FnOnce(&T) -> &[String],
) -> Result<T> {
    require_store(directory, or_else)?;
    let opened = open(directory).map_err(|error| match &error {
        annals_server::Error::Engine(locked) if locked.kind() == ErrorKind::Locked => {
            let advice = if or_else.is_empty() {
                "If that is `annals serve`, ask it with POST, GET or DELETE /annals/v1/users."
            } else {
                "If that is `annals serve`, name it with --url URL."
            };
            Failure::new(format_args!("{} is open in another process\n{advice}", directory.display()))
        }
        _ => Failure::new(error),
    })?;
    say_notes(notes(&opened));
    Ok(opened)
}

fn options_to_read(directory: &Path) -> Options {
    Options { background: false, ..Options::new(directory) }
}

/// Says what opening a store had to put right, or found damaged.
pub(crate) fn say_recovery(engine: &Engine) {
    say_notes(engine.recovery_notes());
}

fn say_notes(notes: &[String]) {
    for note in notes {
        let mut shown = String::new();
        push_harmless(&mut shown, note);
        say(format_args!("recovery: {shown}"));
    }
}
