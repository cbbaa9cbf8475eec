//! `docs/quickstart.md`, typed: every command of its `console` blocks, in order, in one shell and one empty folder.
//!
//! What differs from a reader's session: `annals` is the binary that cargo built for this test and not an installed
//! one (`cargo install --path crates/annals` would build it once more), and its server listens on a free port, since
//! somebody else may have 8080.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the document calls the server's address.
const ADDRESS: &str = "127.0.0.1:8080";
/// Begins a line that says where the output of a command begins or ends.
const MARK: &str = "\u{1e}";
/// Stands for anything in a line; alone, for any lines.
const ANYTHING: &str = "…";
const SESSION_TIME_MAX: &str = "300";

/// A command and what the document says of its output.
struct Typed {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// The commands of all `console` blocks. `$ ` begins one, `> ` goes on with it.
fn commands_of(document: &str) -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    let mut in_block = false;
    for (index, text) in document.lines().enumerate() {
        if text.starts_with("```") {
            in_block = text == "```console";
        } else if let (true, Some(command)) = (in_block, text.strip_prefix("$ ")) {
            commands.push(Typed { line: index + 1, command: command.to_owned(), expected: Vec::new() });
        } else if in_block {
            let last = commands.last_mut().expect("a console block begins with a command");
            match text.strip_prefix("> ") {
                Some(more) if last.expected.is_empty() => last.command = format!("{}\n{more}", last.command),
                _ => last.expected.push(text.to_owned()),
            }
        }
    }
    commands
}

/// Whether a line is what the document says.
fn line_matches(expected: &str, line: &str) -> bool {
    let mut pieces = expected.split(ANYTHING);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.split_at(at + piece.len()).1;
    }
    rest.ends_with(last)
}

/// Whether an output is what the document says.
fn matches(expected: &[String], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == ANYTHING => {
            (0..=lines.len()).any(|skipped| lines.get(skipped..).is_some_and(|lines| matches(rest, lines)))
        }
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, more)| line_matches(first, line) && matches(rest, more))
        }
    }
}

/// A shell script that does what a reader types, and says between what ended how.
fn script(commands: &[Typed], address: &str) -> String {
    // Whatever goes wrong, no server stays.
    let mut script = "exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for typed in commands {
        let command = typed.command.replace(ADDRESS, address);
        write!(script, "echo '{MARK}begin'\n{command}\necho \"{MARK}end $?\"\n").unwrap();
    }
    script
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// This binary first, then the system's programs.
fn path_with_annals() -> OsString {
    let folder = Path::new(env!("CARGO_BIN_EXE_annals")).parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&others))).unwrap()
}

fn document() -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/quickstart.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_session_of_the_quick_start_goes_as_it_says() {
    let commands = commands_of(&document());
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let file = folder.path().join("session.sh");
    fs::write(&file, script(&commands, &address)).unwrap();
    let empty = folder.path().join("session");
    fs::create_dir(&empty).unwrap();
    let mut shell = Command::new("timeout");
    shell.arg(SESSION_TIME_MAX).arg("bash").arg(&file).current_dir(&empty).stdin(Stdio::null());
    // Nothing of whoever runs the test but where programs are.
    shell.env_clear().env("PATH", path_with_annals()).env("HOME", folder.path()).env("LC_ALL", "C.UTF-8");
    let output = shell.env("ANNALS_LISTEN", &address).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(&address, ADDRESS);

    let sections: Vec<&str> = text.split(&format!("{MARK}begin\n")).skip(1).collect();
    let log = fs::read_to_string(empty.join("server.log")).unwrap_or_default();
    let mut wrong = Vec::new();
    for (typed, section) in commands.iter().zip(&sections) {
        let (said, status) = section.rsplit_once(&format!("{MARK}end ")).unwrap_or((section, "none"));
        let lines: Vec<&str> = said.lines().collect();
        if status.trim() != "0" || !matches(&typed.expected, &lines) {
            let Typed { line, command, expected } = typed;
            wrong.push(format!(
                "docs/quickstart.md:{line}: {command}\n  status {}\n  said {lines:#?}\n  not {expected:#?}",
                status.trim()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\nserver.log:\n{log}", wrong.join("\n"));
    assert_eq!(sections.len(), commands.len(), "the session ended before its time: {text}");
}

#[test]
fn the_quick_start_goes_from_installing_to_restoring() {
    let document = document();
    assert!(document.contains("\n```sh\ncargo install --path crates/annals\n```\n"));
    let commands = commands_of(&document);
    let mut left = commands.iter();
    for step in [
        "annals --version",
        "annals import ",
        "annals query ",
        "annals serve ",
        "curl ",
        "annals backup ",
        "annals restore ",
        "annals verify ",
        "annals serve ",
        "annals query ",
    ] {
        assert!(left.any(|typed| typed.command.starts_with(step)), "{step} does not come after the step before it");
    }
    // A command that is to show something is compared with something.
    for typed in commands.iter().filter(|typed| typed.command.starts_with("annals query")) {
        assert!(typed.expected.iter().any(|line| line != ANYTHING), "docs/quickstart.md:{}", typed.line);
    }
}

#[test]
fn outputs_are_told_apart() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, said, same) in [
        ("", "", true),
        ("a", "a", true),
        ("a", "", false),
        ("", "a", false),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("a…c", "abc", true),
        ("a…c", "ab", false),
        ("a…b…c", "a-b-c", true),
        ("a…b…c", "a-c", false),
        ("ab…b", "ab", false),
        ("…\nb", "a\na\nb", true),
        ("…\nb", "b", true),
        ("…\nb", "b\na", false),
        ("a\n…", "a", true),
        ("a\n…", "b", false),
    ] {
        assert_eq!(matches(&lines(expected), &said.lines().collect::<Vec<_>>()), same, "{expected:?}, {said:?}");
    }
}
