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

    /// What is in it that `self` holds too; a set with `admin` holds all of it.
    pub(crate) fn limit(self, wanted: Self) -> Self {
        let held: Vec<Scope> = Scope::ALL.iter().copied().filter(|scope| wanted.0 & *scope as u16 != 0).collect();
        Self::of(&held.into_iter().filter(|scope| self.allow(*scope)).collect::<Vec<_>>())
    }

    /// As they are signed into tokens.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// What [`Scopes::bits`] gave; bits that are no scope of this version allow nothing.
    pub(crate) fn from_bits(bits: u16) -> Self {
        let known = Scope::ALL.iter().copied().filter(|scope| bits & *scope as u16 != 0);
        Self::of(&known.collect::<Vec<_>>())
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
    fn a_set_is_limited_to_what_another_holds() {
        let (read, write) = (Scope::EventsRead, Scope::EventsCreate);
        let both = Scopes::of(&[read, write]);
        assert_eq!(Scopes::of(&[read]).limit(both), Scopes::of(&[read]));
        assert_eq!(Scopes::of(&[Scope::Admin]).limit(both), both);
        assert_eq!(both.limit(Scopes::of(&[Scope::Admin])), Scopes::default());
        assert_eq!(Scopes::from_bits(both.bits() | 1 << 15), both);
    }

    #[test]
    fn names_come_back() {
        let all = Scopes::of(Scope::ALL);
        assert_eq!(Scopes::from_names(all.names()), Ok(all));
        assert_eq!(Scopes::from_names(["events:read", "root"]), Err("root"));
    }
}
