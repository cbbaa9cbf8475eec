//! The server as a process of its own.

use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::client::{Client, KEY};
use crate::{Failure, log_path};

/// How long a start may take: 60 s.
const START_CHECKS_MAX: u32 = 3000;
const START_CHECK_EVERY: Duration = Duration::from_millis(20);

/// What every server of a store has in common.
pub(crate) struct Setup<'a> {
    /// The program.
    pub(crate) binary: &'a Path,
    /// The store's directory.
    pub(crate) store: &'a Path,
    /// As `--log-size` takes it.
    pub(crate) log_size: &'a str,
}

/// A running server; killed when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port and waits until it is ready.
    pub(crate) fn start(setup: &Setup<'_>, level: &str) -> Result<Self, Failure> {
        let Setup { binary, store, log_size } = *setup;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = OpenOptions::new().create(true).append(true).open(log_path(store))?;
        let child = Command::new(binary)
            .args(["serve", "--durability", level, "--log-size", log_size, "--listen", &address.to_string(), "--data"])
            .arg(store)
            .env("ANNALS_ADMIN_KEY", KEY)
            .env("ANNALS_LOG", "warn")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        let mut server = Self { child, address };
        let client = Client::new(address);
        for _ in 0..START_CHECKS_MAX {
            if client.is_ready() {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                let said = std::fs::read_to_string(log_path(store))?;
                let last: Vec<&str> = said.lines().rev().take(3).collect();
                return Err(format!("the server ended with {status}: {}", last.join(" | ")).into());
            }
            std::thread::sleep(START_CHECK_EVERY);
        }
        Err("the server was not ready in time".into())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed before.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
