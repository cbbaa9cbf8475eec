//! The columns of a table of events, and the values of an event in them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use annals_engine::{Field, Values};
use serde_json::value::RawValue;

use crate::failure::{Failure, Result, while_doing};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A JSON object.
    Json,
    Texts,
    Whole,
    Number,
    Time,
    Flag,
}

/// A member of an event's native form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// The members of one event, as they were written.
pub(super) struct Row<'e>(BTreeMap<Cow<'e, str>, &'e RawValue>);

/// The members in front of the keyword fields, and those behind them.
const FRONT: [Column; 3] =
    [column("id", Kind::Text), column("sequence", Kind::Whole), column("created_at", Kind::Time)];
const BACK: [Column; 9] = [
    column("message", Kind::Text),
    column("content", Kind::Text),
    column("error_message", Kind::Text),
    column("user_agent", Kind::Text),
    column("latency_ms", Kind::Number),
    column("expires_at", Kind::Time),
    column("updated_at", Kind::Time),
    column("acknowledged", Kind::Flag),
    column("payload", Kind::Json),
];

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// Every column, in the order of the native form.
fn all() -> impl Iterator<Item = Column> {
    let fields = Field::ALL.iter().map(|field| {
        let kind = if field.values() == Values::Multiple { Kind::Texts } else { Kind::Text };
        column(field.name(), kind)
    });
    FRONT.into_iter().chain(fields).chain(BACK)
}

/// The columns of `--fields`, in their order, or every one.
pub(super) fn chosen(list: Option<&str>) -> Result<Vec<Column>> {
    let Some(list) = list else { return Ok(all().collect()) };
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut chosen: Vec<Column> = Vec::new();
    for name in names {
        let Some(found) = all().find(|column| column.name == name) else {
            let names: Vec<&str> = all().map(|column| column.name).collect();
            return Err(Failure::new(format_args!(
                "{name:?} is not a member of an event\nThere are: {}.",
                names.join(", ")
            )));
        };
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    if chosen.is_empty() {
        return Err(Failure::new("--fields names no member of an event"));
    }
    Ok(chosen)
}

impl<'e> Row<'e> {
    pub(super) fn read(event: &'e str) -> Result<Self> {
        serde_json::from_str(event).map(Self).map_err(while_doing("read an event"))
    }

    fn raw(&self, column: Column) -> Option<&'e str> {
        self.0.get(column.name).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    /// A text as it is; anything else as its JSON.
    pub(super) fn text(&self, column: Column) -> Result<Option<Cow<'e, str>>> {
        let Some(raw) = self.raw(column) else { return Ok(None) };
        // Most texts need no unescaping.
        match raw.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
            Some(inner) if !inner.contains('\\') => Ok(Some(Cow::Borrowed(inner))),
            Some(_) => {
                serde_json::from_str(raw).map(|text| Some(Cow::Owned(text))).map_err(while_doing("read an event"))
            }
            None => Ok(Some(Cow::Borrowed(raw))),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, column: Column) -> Result<Vec<Cow<'e, str>>> {
        self.value(column).map(Option::unwrap_or_default)
    }

    /// A time, in microseconds since 1970.
    pub(super) fn time_us(&self, column: Column) -> Result<Option<i64>> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        let time = annals_json::parse_time(&text);
        time.map(Some).ok_or_else(|| Failure::new(format_args!("cannot read an event: {text:?} is no time")))
    }

    /// A number, a flag: whatever `T` is.
    pub(super) fn value<T: serde::Deserialize<'e>>(&self, column: Column) -> Result<Option<T>> {
        self.raw(column).map(serde_json::from_str).transpose().map_err(while_doing("read an event"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_native_form() {
        assert_eq!(all().count(), Field::ALL.len() + 12);
        for name in all().map(|column| column.name) {
            assert!(annals_json::Selection::parse(name).is_ok(), "{name}");
        }
        let names = |list: &str| chosen(Some(list)).map(|list| list.iter().map(|one| one.name).collect::<Vec<_>>());
        assert_eq!(names(" user_id, id,user_id").unwrap(), ["user_id", "id"]);
        assert!(names("id,colour").is_err() && names(" , ").is_err());
    }
}
