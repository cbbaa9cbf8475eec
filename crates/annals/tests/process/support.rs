//! Starts the program, as a server and as commands.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

pub(crate) const KEY: &str = "the-administrators-key";
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program, without what the environment says about servers.
pub(crate) fn annals(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    command.args(words).stdin(Stdio::null()).env_clear();
    command
}

/// Of the server's tests: `first` is signed by `authority`, for localhost and 127.0.0.1.
pub(crate) fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../annals-server/tests/tls").join(name)
}

/// A server, until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    lines: Receiver<String>,
}

impl Server {
    /// Starts one over the store in `data`, with more flags.
    pub(crate) fn start(data: &Path, flags: &[&str]) -> Self {
        let data = data.to_str().unwrap();
        let mut command = annals(&["serve", "--data", data, "--listen", "127.0.0.1:0", "--log-size", "1MiB"]);
        command.args(flags).env("ANNALS_ADMIN_KEY", KEY).stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || errors.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        let mut server = Self { child, url: String::new(), lines };
        let said = server.line_with("annals listens on ");
        let (_, behind) = said.split_once("annals listens on ").unwrap();
        behind.split(',').next().unwrap().clone_into(&mut server.url);
        server
    }

    /// The next line of its log that holds `text`.
    pub(crate) fn line_with(&self, text: &str) -> String {
        let mut earlier = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => earlier.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {text:?} among\n{}", earlier.join("\n"));
                }
            }
        }
    }

    /// A command that asks this server.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = annals(words);
        command.args(["--url", &self.url]).env("ANNALS_KEY", KEY);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs a command to its end, which must have this code; gives what it wrote to standard output.
#[track_caller]
pub(crate) fn expect(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{out}\n{errors}");
    output
}

/// The same with something on standard input.
#[track_caller]
pub(crate) fn expect_given(command: &mut Command, input: &[u8], code: i32) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{}", text(&output.stderr));
    output
}
