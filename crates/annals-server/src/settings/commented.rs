//! `docs/annals.toml`: the table as a file that changes nothing until a line of it is uncommented.

use std::fmt::Write as _;

use super::setting::{Change, Setting};
use super::table::{SECTIONS, table};
use super::value::Value;
use crate::config::{DIRECTORY_DEFAULT, ServerConfig};

/// Defaults that depend on the machine are shown for one with so many processors.
pub(super) const PROCESSORS: usize = 2;
const WIDTH: usize = 100;

const HEAD: &str = "\
# Every setting of `annals serve`, each with its default. Uncomment what is to be different.
#
#   annals serve --config annals.toml          (or ANNALS_CONFIG=annals.toml)
#   annals config check annals.toml            says what is wrong, with the line
#   annals config print --config annals.toml   what holds, and where each value comes from
#
# A flag goes before the environment, the environment before this file, this file before the
# default. Sizes are bytes or have KiB, MiB, GiB, TiB behind them, lengths of time ms, s, m, h, d, w.
# Settings marked (reload) are read again at SIGHUP; the others need a restart. An unknown key is an error.
";

/// The whole file.
pub fn commented_file() -> String {
    let defaults = ServerConfig::for_processors(DIRECTORY_DEFAULT, PROCESSORS);
    let mut out = HEAD.to_owned();
    for (section, about) in SECTIONS {
        if !section.is_empty() {
            comment(&mut out, &format!("\n{about}"));
            // Writing to a text cannot fail.
            _ = writeln!(out, "[{section}]");
        }
        for setting in table().filter(|setting| setting.section() == *section) {
            one(&mut out, setting, &setting.value(&defaults));
        }
    }
    out
}

fn one(out: &mut String, setting: &Setting, default: &Value) {
    out.push('\n');
    comment(out, setting.doc.trim());
    let mut notes = Vec::new();
    notes.extend(setting.kind.range().map(|range| format!("{range}.")));
    if *default == Value::Unset {
        notes.push("Not set by default.".to_owned());
    }
    notes.push(setting.variable());
    notes.extend(setting.flag().map(|(flag, _)| format!("--{flag}")));
    if setting.change() == Change::Reloaded {
        notes.push("(reload)".to_owned());
    }
    comment(out, &notes.join(" "));
    let held = match default {
        Value::Unset => setting.kind.toml(&example(setting)),
        _ => setting.kind.toml(default),
    };
    _ = writeln!(out, "#{} = {held}", setting.name());
}

fn example(setting: &Setting) -> Value {
    setting.kind.read_text(setting.traits.example).unwrap_or(Value::Unset)
}

/// Adds a text as lines of a comment; a line break at its start is an empty line before it.
fn comment(out: &mut String, text: &str) {
    if text.starts_with('\n') {
        out.push('\n');
    }
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width == 0 {
            out.push('#');
            width = 1;
        } else if width + 1 + length > WIDTH {
            out.push_str("\n#");
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + length;
    }
    if width > 0 {
        out.push('\n');
    }
}
