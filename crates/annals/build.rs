//! What the program says of where it comes from: the commit and its date, never when, where or by whom it was built,
//! so that the same commit gives the same bytes.
//!
//! `ANNALS_COMMIT` names the commit where there is no repository (an unpacked archive), or where the caller knows more
//! than git does here; empty means that it is not known. `SOURCE_DATE_EPOCH` (seconds since 1970) goes before its date.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a version shows of a commit: more than any repository of this size needs to be sure.
const SHOWN_LEN: usize = 12;

fn main() {
    for variable in ["ANNALS_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let repository = Repository::of_this_tree();
    if let Some(repository) = &repository {
        repository.watch();
    }
    let commit = match variable("ANNALS_COMMIT") {
        Some(named) => named,
        None => repository.as_ref().and_then(|repository| repository.ask(&["rev-parse", "HEAD"])).unwrap_or_default(),
    };
    let date = match variable("SOURCE_DATE_EPOCH") {
        Some(seconds) => date_of(seconds.parse().expect("SOURCE_DATE_EPOCH is a number of seconds")),
        None => repository
            .filter(|_| !commit.is_empty())
            .and_then(|repository| repository.ask(&["show", "--no-patch", "--format=%ct", &commit]))
            .and_then(|seconds| Some(date_of(seconds.parse().ok()?)))
            .unwrap_or_default(),
    };
    let (commit, date) = (checked(&commit), checked(&date));
    // What stands behind the id, such as `-modified`, is what a reader has to see.
    let (id, rest) = commit.find('-').map_or((commit, ""), |end| commit.split_at(end));
    let shown: String = id.chars().take(SHOWN_LEN).chain(rest.chars()).collect();
    let origin = [shown.as_str(), date].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let origin = if origin.is_empty() { origin } else { format!(" ({origin})") };
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    println!("cargo::rustc-env=ANNALS_BUILD_ORIGIN={origin}");
    println!("cargo::rustc-env=ANNALS_BUILD_COMMIT={}", or_unknown(commit));
    println!("cargo::rustc-env=ANNALS_BUILD_DATE={}", or_unknown(date));
    println!("cargo::rustc-env=ANNALS_BUILD_TARGET={}", variable("TARGET").expect("cargo names the target"));
}

/// It becomes part of what the program prints, and of a line that cargo reads.
fn checked(text: &str) -> &str {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.+".contains(character);
    assert!(text.len() <= 64 && text.chars().all(is_plain), "{text:?} does not name a commit");
    text
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.into_string().unwrap_or_else(|_| panic!("{name} is not UTF-8")).trim().to_owned())
}

/// The git repository of this tree.
struct Repository(PathBuf);

impl Repository {
    /// None where there is no git, or where the tree only lies in somebody else's repository.
    fn of_this_tree() -> Option<Self> {
        let tree = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../..").canonicalize().ok()?;
        let repository = Self(tree);
        let top = PathBuf::from(repository.ask(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
        (top == repository.0).then_some(repository)
    }

    fn ask(&self, question: &[&str]) -> Option<String> {
        let answer = Command::new("git").arg("-C").arg(&self.0).args(question).output().ok()?;
        let text = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
        (answer.status.success() && !text.is_empty()).then_some(text)
    }

    /// Has cargo ask again once there is another commit.
    fn watch(&self) {
        // The log of HEAD grows with every commit, checkout and merge; HEAD is there without logs, too.
        for file in ["HEAD", "logs/HEAD"] {
            let Some(path) = self.ask(&["rev-parse", "--git-path", file]) else { continue };
            let path = self.0.join(path);
            // Cargo takes a file that is missing for one that has changed, each time.
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
}

/// The day in UTC of so many seconds since 1970, such as `2026-01-31`.
fn date_of(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).expect("SOURCE_DATE_EPOCH or a commit is of this era");
    time.strftime("%F").to_string()
}
