//! One entry of the table, and the macro that declares a section of it together with its struct.

use super::value::{Kind, Value};
use crate::config::ServerConfig;

/// When a changed setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// From the next SIGHUP on.
    Reloaded,
    /// From the next start on.
    Restart,
}

/// What is said of a setting beside its key, its kind and its meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(super) change: Change,
    /// What its flag takes; there is none without it. Empty for a flag that takes nothing.
    pub(super) flag: Option<&'static str>,
    /// Its variable, where that is not made of the key.
    pub(super) variable: Option<&'static str>,
    /// What may stand in a file, of a setting that has no default.
    pub(super) example: &'static str,
}

/// Holds from the next SIGHUP on.
pub(crate) const RELOADED: Traits = Traits { change: Change::Reloaded, flag: None, variable: None, example: "" };
/// Holds from the next start on.
pub(crate) const RESTART: Traits = Traits { change: Change::Restart, ..RELOADED };

impl Traits {
    pub(crate) const fn flag(self, takes: &'static str) -> Self {
        Self { flag: Some(takes), ..self }
    }

    pub(crate) const fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    pub(crate) const fn example(self, text: &'static str) -> Self {
        Self { example: text, ..self }
    }
}

/// A setting: everything that a file, the environment, the command line and the documents know of it.
#[derive(Debug)]
pub struct Setting {
    /// Its place in the file: `listen`, `limits.query_time_max`.
    pub key: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it is, in words for operators.
    pub doc: &'static str,
    pub(crate) traits: Traits,
    pub(crate) get: fn(&ServerConfig) -> Value,
    pub(crate) set: fn(&mut ServerConfig, Value) -> Result<(), String>,
}

impl Setting {
    /// The environment's name for it.
    pub fn variable(&self) -> String {
        let made = || format!("ANNALS_{}", self.key.replace('.', "_").to_ascii_uppercase());
        self.traits.variable.map_or_else(made, str::to_owned)
    }

    /// Its flag without the dashes, and what that takes (nothing: empty), if it has one.
    pub fn flag(&self) -> Option<(String, &'static str)> {
        self.traits.flag.map(|takes| (self.key.replace(['.', '_'], "-"), takes))
    }

    /// When a change holds.
    pub fn change(&self) -> Change {
        self.traits.change
    }

    /// What it holds in `config`.
    pub fn value(&self, config: &ServerConfig) -> Value {
        (self.get)(config)
    }

    /// The section of the file that it stands in; empty for the top.
    pub(super) fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within the section.
    pub(super) fn name(&self) -> &'static str {
        self.key.rsplit_once('.').map_or(self.key, |(_, name)| name)
    }
}

/// A setting whose field is named by a path in [`ServerConfig`].
macro_rules! setting {
    ($key:expr, $kind:expr, $traits:expr, $($field:ident).+, $doc:expr) => {
        $crate::settings::Setting {
            key: $key,
            kind: $kind,
            doc: $doc,
            traits: $traits,
            get: |config| $crate::settings::Held::value(&config.$($field).+),
            set: |config, value| {
                config.$($field).+ = $crate::settings::Held::of(value)?;
                Ok(())
            },
        }
    };
}

/// A section of the file: its struct with defaults, and its part of the table. The field of
/// [`ServerConfig`] has the section's name, and each setting that of its field.
macro_rules! section {
    (
        $(#[doc = $about:expr])+
        pub struct $type:ident as $section:ident, by $processors:ident {
            $($(#[doc = $doc:expr])+ $name:ident: $field:ty = $default:expr, $kind:expr, $traits:expr;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $type {
            $($(#[doc = $doc])+ pub $name: $field,)+
        }

        impl $type {
            /// The section's part of the table.
            pub(crate) const SETTINGS: &'static [$crate::settings::Setting] = &[$($crate::settings::setting!(
                concat!(stringify!($section), ".", stringify!($name)),
                $kind,
                $traits,
                $section.$name,
                concat!($($doc),+)
            )),+];

            /// The defaults on a machine with so many processors.
            pub(crate) fn for_processors($processors: usize) -> Self {
                // Not every section has defaults that depend on it.
                let _ = $processors;
                Self { $($name: $default,)+ }
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self::for_processors($crate::config::processors())
            }
        }
    };
}

pub(crate) use {section, setting};
