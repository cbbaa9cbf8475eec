//! From the sources of settings to what holds, and where each value comes from.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::suggest::nearest;
use super::table::{SECTIONS, table};
use super::value::Value;
use super::{Setting, file};
use crate::config::{DIRECTORY_DEFAULT, ServerConfig};
use crate::error::{Error, Result};

/// Variables of this prefix are ours.
const PREFIX: &str = "ANNALS_";
/// Those that are no settings of the server.
const OTHERS: [&str; 4] = ["ANNALS_CA_FILE", "ANNALS_CONFIG", "ANNALS_KEY", "ANNALS_URL"];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// This line of this file.
    File(PathBuf, usize),
    /// This variable.
    Environment(String),
    /// This flag, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Where settings are read from: a flag goes before the environment, the environment before the file.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Names and values; those of other names than ours are not looked at. An empty value is none.
    pub environment: Vec<(OsString, OsString)>,
    /// Keys of the table with what stands behind their flags: nothing for one that takes nothing.
    pub flags: Vec<(String, Vec<String>)>,
}

/// A setting as it holds.
#[derive(Clone, Debug)]
pub struct Entry<'l> {
    /// Which one.
    pub setting: &'static Setting,
    /// What it holds.
    pub value: Value,
    /// Where that comes from.
    pub origin: &'l Origin,
}

impl Entry<'_> {
    /// The value on one line, without secrets.
    pub fn shown(&self) -> String {
        self.setting.kind.shown(&self.value)
    }
}

/// What the sources say together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings that hold, checked.
    pub config: ServerConfig,
    origins: HashMap<&'static str, Origin>,
}

impl Loaded {
    /// Every setting in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        table().map(|setting| Entry { setting, value: setting.value(&self.config), origin: self.origin(setting.key) })
    }

    /// Where the value of a setting comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

impl Sources {
    /// The file and flags given, and this process's environment.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, Vec<String>)>) -> Self {
        Self { file, environment: std::env::vars_os().collect(), flags }
    }

    /// Reads everything and checks it, by itself and together. Reads the file anew each time.
    ///
    /// # Errors
    /// Everything that is wrong, a line each, with where it stands and what to do.
    pub fn load(&self) -> Result<Loaded> {
        let mut loading = Loading {
            loaded: Loaded { config: ServerConfig::new(DIRECTORY_DEFAULT), origins: HashMap::new() },
            problems: Vec::new(),
        };
        // ORDER: the later one wins.
        if let Some(path) = &self.file {
            loading.file(path);
        }
        loading.environment(&self.environment);
        loading.flags(&self.flags);
        loading.admin_key_file();
        if loading.problems.is_empty() {
            loading.loaded.config.validate()?;
            return Ok(loading.loaded);
        }
        Err(Error::config(loading.problems.join("\n")))
    }
}

struct Loading {
    loaded: Loaded,
    problems: Vec<String>,
}

impl Loading {
    fn set(&mut self, setting: &'static Setting, value: Value, origin: Origin) {
        match (setting.set)(&mut self.loaded.config, value) {
            Ok(()) => _ = self.loaded.origins.insert(setting.key, origin),
            Err(wrong) => self.problems.push(format!("{origin}: {} {wrong}", setting.key)),
        }
    }

    fn file(&mut self, path: &Path) {
        let text = match file::read_text(path) {
            Ok(text) => text,
            Err(wrong) => return self.problems.push(wrong),
        };
        let (found, problems) = file::settings(path, &text);
        self.problems.extend(problems);
        for found in found {
            self.set(found.setting, found.value, Origin::File(path.to_owned(), found.line));
        }
    }

    fn environment(&mut self, environment: &[(OsString, OsString)]) {
        let known: Vec<(String, &'static Setting)> = table().map(|setting| (setting.variable(), setting)).collect();
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let Some((_, setting)) = known.iter().find(|(known, _)| known == name) else {
                self.unknown_variable(name, &known);
                continue;
            };
            match value.to_str() {
                None => self.problems.push(format!("{name} is not UTF-8")),
                Some("") => {}
                Some(word) => match setting.kind.read_words(&[word.to_owned()]) {
                    Ok(value) => self.set(setting, value, Origin::Environment(name.to_owned())),
                    Err(wrong) => self.problems.push(format!("{name} {wrong}")),
                },
            }
        }
    }

    /// Complains of a variable that is like one of ours. Others may have been named by somebody else: by a
    /// container's platform for a service that is called annals.
    fn unknown_variable(&mut self, name: &str, known: &[(String, &'static Setting)]) {
        if OTHERS.contains(&name) {
            return;
        }
        let of_section = SECTIONS.iter().any(|(section, _)| {
            !section.is_empty() && name.starts_with(&format!("{PREFIX}{}_", section.to_ascii_uppercase()))
        });
        // Without what all of them begin with, which would make short names alike.
        let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        let names: Vec<String> = known.iter().map(|(name, _)| own(name)).collect();
        match nearest(&own(name), names.iter().map(String::as_str)) {
            Some(meant) => self.problems.push(format!("there is no setting {name}, did you mean {PREFIX}{meant}?")),
            None if of_section => self.problems.push(format!("there is no setting {name}")),
            None => {}
        }
    }

    fn flags(&mut self, flags: &[(String, Vec<String>)]) {
        for (key, words) in flags {
            let Some(setting) = table().find(|setting| setting.key == key) else {
                self.problems.push(format!("there is no setting {key}"));
                continue;
            };
            let flag = setting.flag().map_or_else(|| key.clone(), |(name, _)| format!("--{name}"));
            let read = if words.is_empty() { Ok(Value::Flag(true)) } else { setting.kind.read_words(words) };
            match read {
                Ok(value) => self.set(setting, value, Origin::Flag(flag)),
                Err(wrong) => self.problems.push(format!("{flag} {wrong}")),
            }
        }
    }

    /// Takes the administrator's key from its file.
    fn admin_key_file(&mut self) {
        let Some(path) = self.loaded.config.admin_key_file.clone() else { return };
        if self.loaded.config.admin_key.is_some() {
            let origin = |key| self.loaded.origin(key);
            self.problems.push(format!(
                "admin_key ({}) and admin_key_file ({}) are both set: leave one of them out",
                origin("admin_key"),
                origin("admin_key_file")
            ));
            return;
        }
        match file::read_text(&path) {
            Ok(text) => self.loaded.config.admin_key = Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(wrong) => self.problems.push(format!("admin_key_file: {wrong}")),
        }
    }
}
