//! The file: TOML, each value with the line it stands on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Setting;
use super::suggest::nearest;
use super::table::{SECTIONS, table};
use super::value::{Kind, Value};

/// No file of settings is longer; whatever else is named must not fill the memory.
const FILE_SIZE_MAX: u64 = 1 << 20;

/// A setting that the file has.
pub(super) struct Found {
    pub(super) setting: &'static Setting,
    pub(super) line: usize,
    pub(super) value: Value,
}

/// Reads a text file of at most a mebibyte.
///
/// # Errors
/// A sentence with the path.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_SIZE_MAX + 1).read_to_end(&mut text)).map_err(wrong)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_SIZE_MAX {
        return Err(format!("{} has more than a mebibyte, so it is no such file", path.display()));
    }
    String::from_utf8(text).map_err(|_not_text| format!("{} is not UTF-8", path.display()))
}

/// The settings of a file, and everything that is wrong with it, with its place, in the order of the file.
pub(super) fn settings(path: &Path, text: &str) -> (Vec<Found>, Vec<String>) {
    let mut reader = Reader { text, found: Vec::new(), problems: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.section("", table.get_ref()),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            reader.problem(offset, error.message().replace('\n', ", "));
        }
    }
    reader.problems.sort();
    let placed = |(line, wrong)| format!("{}:{line}: {wrong}", path.display());
    (reader.found, reader.problems.into_iter().map(placed).collect())
}

struct Reader<'t> {
    text: &'t str,
    found: Vec<Found>,
    /// With their lines.
    problems: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }

    fn problem(&mut self, offset: usize, wrong: String) {
        self.problems.push((self.line(offset), wrong));
    }

    fn section(&mut self, section: &str, held: &DeTable<'_>) {
        for (name, value) in held {
            let (offset, name) = (name.span().start, name.get_ref().as_ref());
            let key = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            if let Some(setting) = table().find(|setting| setting.key == key) {
                match read(setting.kind, value.get_ref()) {
                    Ok(value) => self.found.push(Found { setting, line: self.line(offset), value }),
                    Err(wrong) => self.problem(offset, format!("{key} {wrong}")),
                }
                continue;
            }
            let is_section = section.is_empty() && SECTIONS.iter().any(|(name, _)| *name == key);
            match value.get_ref() {
                DeValue::Table(inner) if is_section => self.section(&key, inner),
                _ if is_section => self.problem(offset, format!("{key} is a section: write [{key}]")),
                _ => self.problem(offset, format!("there is no setting {key}{}", meant(section, name))),
            }
        }
    }
}

/// What an unknown key may be meant to be: one of its section, a section, or one of that name elsewhere.
fn meant(section: &str, name: &str) -> String {
    let within = table().filter(|setting| setting.section() == section);
    let key = nearest(name, within.map(Setting::name)).map(|name| match section {
        "" => name.to_owned(),
        _ => format!("{section}.{name}"),
    });
    let sections = SECTIONS.iter().map(|(name, _)| *name).filter(|_| section.is_empty());
    let key = key.or_else(|| nearest(name, sections).map(|section| format!("[{section}]")));
    let elsewhere = || {
        let name = nearest(name, table().map(Setting::name))?;
        table().find(|setting| setting.name() == name).map(|setting| setting.key.to_owned())
    };
    key.or_else(elsewhere).map_or_else(String::new, |key| format!(", did you mean {key}?"))
}

fn read(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    match (kind, value) {
        (_, DeValue::String(text)) => kind.read_text(text),
        (_, DeValue::Integer(whole)) => kind.read_whole(u64::from_str_radix(whole.as_str(), whole.radix()).ok()),
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
        (Kind::List, DeValue::Array(_)) => texts(value).map(Value::List),
        (Kind::Groups, DeValue::Table(groups)) => {
            let group = |(name, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
                Ok((name.get_ref().to_string(), texts(value.get_ref())?))
            };
            Ok(Value::Groups(groups.iter().map(group).collect::<Result<BTreeMap<_, _>, String>>()?))
        }
        _ => Err(format!("must be {}", kind.form())),
    }
}

fn texts(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let wrong = || "must have lists of texts in brackets, such as [\"a\", \"b\"]".to_owned();
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|one| one.get_ref().as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}
