//! `annals users`: the users of a store that no server has open.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annals_server::{StoreUsers, UserInfo, UserSettings};
use clap::{Args, Subcommand};

use crate::failure::{Failure, Result, while_doing};
use crate::grant::Granted;
use crate::hidden::read_hidden;
use crate::store::{DATA_DEFAULT, offline};
use crate::terminal::{out, push_harmless, say};

/// More than the longest password and the end of its line.
const PASSWORD_INPUT_SIZE_MAX: u64 = 4096;

/// Add, list and remove the users of a store that no server has open.
///
/// A user gets tokens for a password from the server's `POST /v1/auth/token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals users add ada --data ./annals-data --scope events:read --scope audit:read
  annals users list --data ./annals-data
  annals users remove ada --data ./annals-data

A running server has the store to itself: ask it with POST, GET and DELETE /annals/v1/users.")]
pub(crate) struct Users {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user; the password is asked for, or read from a file or standard input
    Add(Add),
    /// List the users
    List(List),
    /// Remove a user; the tokens it has end with it
    Remove(Remove),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals users list --data ./annals-data")]
struct List {
    #[command(flatten)]
    directory: Directory,
}

#[derive(Debug, Args)]
struct Directory {
    /// The store's directory
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT, env = "ANNALS_DATA")]
    data: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals users add ada --scope events:read --scope audit:read
  annals users add eve --scope admin --expires-at 2030-01-31 --password-file -")]
struct Add {
    /// The name to log in with
    username: String,
    #[command(flatten)]
    granted: Granted,
    /// A file whose first line is the password, - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    directory: Directory,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals users remove ada --data ./annals-data")]
struct Remove {
    /// The user's name
    username: String,
    #[command(flatten)]
    directory: Directory,
}

pub(crate) fn run(command: &Users) -> Result<ExitCode> {
    match &command.action {
        Action::Add(add) => {
            // Opened first: nobody likes to type a password for nothing.
            let users = open(&add.directory.data)?;
            let password = password(add.password_file.as_deref())?;
            let made = users.add(&settings(add), &password).map_err(Failure::new);
            users.close().map_err(Failure::new)?;
            say(format_args!("user {:?} was added", made?.username));
        }
        Action::List(List { directory }) => {
            let users = open(&directory.data)?;
            let list = users.list();
            users.close().map_err(Failure::new)?;
            let mut out = out();
            for user in &list {
                writeln!(out, "{}", line(user))?;
            }
            out.flush()?;
        }
        Action::Remove(remove) => {
            let users = open(&remove.directory.data)?;
            let removed = users.remove(&remove.username).map_err(Failure::new);
            users.close().map_err(Failure::new)?;
            removed?;
            say(format_args!("user {:?} was removed", remove.username));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(directory: &Path) -> Result<StoreUsers> {
    offline(directory, "", StoreUsers::open, StoreUsers::recovery_notes)
}

fn settings(add: &Add) -> UserSettings {
    let granted = &add.granted;
    UserSettings {
        username: add.username.clone(),
        scopes: granted.scopes.clone(),
        realms: granted.realms(),
        orgs: granted.orgs(),
        user_id: granted.user_id.clone(),
        expires_at: granted.expires_at.clone(),
    }
}

/// The password: never an argument, which every user of the machine can read.
fn password(file: Option<&Path>) -> Result<String> {
    let standard_input = || std::io::stdin().lock();
    match file {
        Some(path) if path != Path::new("-") => {
            let file = std::fs::File::open(path).map_err(while_doing(format_args!("open {}", path.display())))?;
            first_line(file)
        }
        None if std::io::stdin().is_terminal() => {
            let password = read_hidden("Password: ")?;
            if read_hidden("Once more: ")? != password {
                return Err(Failure::new("the two passwords are not the same: nothing was changed"));
            }
            Ok(password)
        }
        _ => first_line(standard_input()),
    }
}

fn first_line(input: impl std::io::Read) -> Result<String> {
    let mut line = String::new();
    let mut input = std::io::BufReader::new(input.take(PASSWORD_INPUT_SIZE_MAX));
    input.read_line(&mut line).map_err(while_doing("read the password"))?;
    let end = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(end);
    Ok(line)
}

fn line(user: &UserInfo) -> String {
    let mut line = String::new();
    push_harmless(&mut line, &user.username);
    for (name, list) in [("scopes", Some(&user.scopes)), ("realms", user.realms.as_ref()), ("orgs", user.orgs.as_ref())]
    {
        if let Some(list) = list {
            line.push_str("  ");
            push_harmless(&mut line, &format!("{name}={}", list.join(",")));
        }
    }
    if let Some(expires_at) = &user.expires_at {
        line.push_str("  expires=");
        line.push_str(expires_at);
    }
    line.push_str("  created=");
    line.push_str(&user.created_at);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::{Engine, Options};

    fn add(directory: &Path, username: &str, password_file: &Path) -> Users {
        Users {
            action: Action::Add(Add {
                username: username.to_owned(),
                granted: Granted::of("events:read", Some("eu")),
                password_file: Some(password_file.to_owned()),
                directory: Directory { data: directory.to_owned() },
            }),
        }
    }

    fn message(result: Result<ExitCode>) -> String {
        match result {
            Err(Failure::Message(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn users_are_added_listed_and_removed_while_nobody_serves_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let (store, file) = (folder.path().join("store"), folder.path().join("password"));
        std::fs::write(&file, "correct horse\r\nanother line\n").unwrap();
        assert!(message(run(&add(&store, "ada", &file))).contains("there is no store"));
        let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(&store) }).unwrap();
        let served = message(run(&add(&store, "ada", &file)));
        assert!(served.contains("/annals/v1/users"), "{served}");
        engine.close().unwrap();

        run(&add(&store, "ada", &file)).unwrap();
        assert!(message(run(&add(&store, "ada", &file))).contains("already"));
        std::fs::write(&file, "short\n").unwrap();
        assert!(message(run(&add(&store, "bob", &file))).starts_with("password must be"));
        let users = open(&store).unwrap();
        let list = users.list();
        assert_eq!(list.len(), 1);
        let shown = line(list.first().unwrap());
        assert!(shown.starts_with("ada  scopes=events:read  realms=eu  created="), "{shown}");
        users.close().unwrap();
        let remove = || {
            let directory = Directory { data: store.clone() };
            run(&Users { action: Action::Remove(Remove { username: "ada".to_owned(), directory }) })
        };
        remove().unwrap();
        assert!(message(remove()).contains("no such user"));
        let internal = Engine::open(Options::new(store.join(annals_server::INTERNAL_FOLDER))).unwrap();
        assert_eq!(internal.stats().events, 2, "what was done is written down");
    }

    #[test]
    fn a_password_is_the_first_line_as_it_is() {
        for (input, password) in [("a b \n", "a b "), ("x", "x"), ("x\r\ny", "x"), ("", "")] {
            assert_eq!(first_line(input.as_bytes()).unwrap(), password);
        }
    }
}
