//! What a key may do.

use std::fmt;

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $bit:literal, $name:literal;)+) => {
        /// One permission of a key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Scope { $($(#[$doc])* $variant = $bit,)+ }

        impl Scope {
            pub(crate) const ALL: &'static [Scope] = &[$(Scope::$variant,)+];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Scope::$variant => $name,)+ }
            }

            pub(crate) fn from_name(name: &str) -> Option<Scope> {
                match name { $($name => Some(Scope::$variant),)+ _ => None }
            }
        }
    };
}

scopes! {
    /// Lists, single events, totals, statistics.
    EventsRead = 1, "events:read";
    /// Appends.
    EventsCreate = 2, "events:create";
    /// Acknowledgements.
    EventsUpdate = 4, "events:update";
    /// Deletes, single or by filter.
    EventsDelete = 8, "events:delete";
    /// Clean-up by age.
    EventsRetention = 16, "events:retention";
    /// The caller's notifications.
    NotificationsRead = 32, "notifications:read";
    /// Publishing notifications.
    NotificationsWrite = 64, "notifications:write";
    /// The internal store of administrative events.
    AuditRead = 128, "audit:read";
    /// Everything.
    Admin = 256, "admin";
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The permissions of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(u16);

impl Scopes {
    pub(crate) fn insert(&mut self, scope: Scope) {
        self.0 |= scope as u16;
    }

    pub(crate) fn of(scopes: &[Scope]) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            set.insert(*scope);
        }
        set
    }

    /// Whether it holds `scope`; `admin` holds every one.
    pub(crate) fn allow(self, scope: Scope) -> bool {
        self.0 & (scope as u16 | Scope::Admin as u16) != 0
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        Scope::ALL.iter().filter(|scope| self.0 & **scope as u16 != 0).map(|scope| scope.name()).collect()
    }

    /// # Errors
    /// The first name that is no scope.
    pub(crate) fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut set = Self::default();
        for name in names {
            set.insert(Scope::from_name(name).ok_or(name)?);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_is_every_scope_and_nothing_else_is() {
        for scope in Scope::ALL {
            assert!(Scopes::of(&[Scope::Admin]).allow(*scope));
            for other in Scope::ALL {
                let allowed = Scopes::of(&[*other]).allow(*scope);
                assert_eq!(allowed, other == scope || *other == Scope::Admin, "{other} for {scope}");
            }
        }
    }

    #[test]
    fn names_come_back() {
        let all = Scopes::of(Scope::ALL);
        assert_eq!(Scopes::from_names(all.names()), Ok(all));
        assert_eq!(Scopes::from_names(["events:read", "root"]), Err("root"));
    }
}
