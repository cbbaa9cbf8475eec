//! Between the types of fields and what a setting holds.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use annals_engine::{Durability, Partitioning};

use super::value::Value;

/// A type that a setting's field has.
pub(crate) trait Held: Sized {
    /// What the field holds.
    fn value(&self) -> Value;

    /// A field that holds `value`.
    ///
    /// # Errors
    /// What it must be, to be put behind the name of the setting.
    fn of(value: Value) -> Result<Self, String>;
}

/// A kind of the table that does not go with the type of its field; `every_setting_takes_what_it_gives` would
/// find it.
fn other_type<T>() -> Result<T, String> {
    Err("has another type".to_owned())
}

macro_rules! whole {
    ($($type:ty),+) => {$(
        impl Held for $type {
            fn value(&self) -> Value {
                Value::Whole(u64::try_from(*self).unwrap_or(u64::MAX))
            }
            fn of(value: Value) -> Result<Self, String> {
                let Value::Whole(count) = value else { return other_type() };
                Self::try_from(count).map_err(|_| format!("is {count}, which is too large"))
            }
        }
    )+};
}
whole!(u32, u64, usize);

impl Held for u8 {
    fn value(&self) -> Value {
        Value::Whole(u64::from(*self))
    }
    fn of(value: Value) -> Result<Self, String> {
        let Value::Whole(count) = value else { return other_type() };
        Self::try_from(count).map_err(|_| format!("is {count}, which is too large"))
    }
}

impl Held for bool {
    fn value(&self) -> Value {
        Value::Flag(*self)
    }
    fn of(value: Value) -> Result<Self, String> {
        if let Value::Flag(flag) = value { Ok(flag) } else { other_type() }
    }
}

impl Held for Duration {
    fn value(&self) -> Value {
        Value::Span(*self)
    }
    fn of(value: Value) -> Result<Self, String> {
        if let Value::Span(span) = value { Ok(span) } else { other_type() }
    }
}

impl Held for String {
    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn of(value: Value) -> Result<Self, String> {
        if let Value::Text(text) = value { Ok(text) } else { other_type() }
    }
}

impl Held for PathBuf {
    fn value(&self) -> Value {
        Value::Text(self.display().to_string())
    }
    fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Text(path) if path.is_empty() => Err("is empty, must be a path".to_owned()),
            Value::Text(path) => Ok(path.into()),
            _ => other_type(),
        }
    }
}

/// Reads a text by the type's own rules.
fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("is {text:?}: {error}"))
}

impl Held for SocketAddr {
    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn of(value: Value) -> Result<Self, String> {
        let Value::Text(text) = value else { return other_type() };
        text.parse().map_err(|_| format!("is {text:?}, must be an address and a port such as 127.0.0.1:8080"))
    }
}

impl Held for Partitioning {
    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn of(value: Value) -> Result<Self, String> {
        if let Value::Text(text) = value { parsed(&text) } else { other_type() }
    }
}

impl Held for Durability {
    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn of(value: Value) -> Result<Self, String> {
        let Value::Text(text) = value else { return other_type() };
        let levels = [Self::Sync, Self::Interval, Self::Buffered];
        levels.into_iter().find(|level| level.to_string() == text).ok_or_else(|| format!("is {text:?}"))
    }
}

impl Held for Vec<String> {
    fn value(&self) -> Value {
        Value::List(self.clone())
    }
    fn of(value: Value) -> Result<Self, String> {
        if let Value::List(list) = value { Ok(list) } else { other_type() }
    }
}

impl Held for Vec<IpAddr> {
    fn value(&self) -> Value {
        Value::List(self.iter().map(IpAddr::to_string).collect())
    }
    fn of(value: Value) -> Result<Self, String> {
        let Value::List(list) = value else { return other_type() };
        let address = |text: &String| {
            text.parse().map_err(|_| format!("names {text:?}, must name addresses such as 192.0.2.1 or 2001:db8::1"))
        };
        list.iter().map(address).collect()
    }
}

impl Held for BTreeMap<String, Vec<String>> {
    fn value(&self) -> Value {
        Value::Groups(self.clone())
    }
    fn of(value: Value) -> Result<Self, String> {
        if let Value::Groups(groups) = value { Ok(groups) } else { other_type() }
    }
}

impl<T: Held> Held for Option<T> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Unset, Held::value)
    }
    fn of(value: Value) -> Result<Self, String> {
        if value == Value::Unset { Ok(None) } else { T::of(value).map(Some) }
    }
}
