//! `name=value` arguments.

use std::collections::BTreeMap;

use crate::Failure;

/// What was given and not asked for yet.
#[derive(Debug)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut settings = BTreeMap::new();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("{word} is not name=value"))?;
            if settings.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(format!("{name} is given twice").into());
            }
        }
        Ok(Self(settings))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let number = value.parse().map_err(|error| format!("{name}={value}: {error}"))?;
        Ok(Some(number))
    }

    /// What `name` is, one of `words`.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Failure> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == value);
        Ok(Some(found.ok_or_else(|| format!("{value} is no {name}"))?.1))
    }

    /// Nothing is left.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{name} is no setting of this command").into()),
        }
    }
}
