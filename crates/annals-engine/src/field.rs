//! The table of keyword fields: the one place where a field is added.

use std::fmt;

macro_rules! keyword_fields {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $values:ident, $len_max:literal;)+) => {
        /// An indexed field of an event. The number is stored on disk and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field { $($(#[$doc])* $variant = $number,)+ }

        impl Field {
            /// Every field, in the order of their numbers.
            pub const ALL: &'static [Field] = &[$(Field::$variant,)+];

            /// The field's name in the native API.
            pub fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)+ }
            }

            /// The field of that number, if there is one.
            pub fn from_number(number: u8) -> Option<Field> {
                match number { $($number => Some(Field::$variant),)+ _ => None }
            }

            /// The field of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Field> {
                match name { $($name => Some(Field::$variant),)+ _ => None }
            }

            /// Whether an event may hold several values of it.
            pub fn values(self) -> Values {
                match self { $(Field::$variant => Values::$values,)+ }
            }

            /// The longest value, in bytes, inclusive.
            pub fn value_size_max(self) -> usize {
                match self { $(Field::$variant => $len_max,)+ }
            }
        }
    };
}

/// How many values of a field one event can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// None or one.
    Single,
    /// None up to [`VALUES_MAX`].
    Multiple,
}

/// The most values of a [`Values::Multiple`] field on one event, inclusive.
pub const VALUES_MAX: usize = 16;

keyword_fields! {
    /// What happened; the only required field.
    EventType = 1, "event_type", Single, 200;
    /// The family of the event type.
    EventGroup = 2, "event_group", Single, 1024;
    /// error, warn, info or success.
    Severity = 3, "severity", Single, 1024;
    /// The outcome, as written.
    Status = 4, "status", Single, 1024;
    /// The kind of thing it happened to.
    ResourceType = 5, "resource_type", Single, 1024;
    /// The thing it happened to.
    ResourceId = 6, "resource_id", Single, 1024;
    /// The owning organisation.
    OrgId = 7, "org_id", Single, 1024;
    /// The owning project.
    ProjectId = 8, "project_id", Single, 1024;
    /// The container concerned.
    ContainerId = 9, "container_id", Single, 1024;
    /// The user who did it.
    UserId = 10, "user_id", Single, 1024;
    /// The kind of actor.
    ActorType = 11, "actor_type", Single, 1024;
    /// The actor, when it is no user.
    ActorId = 12, "actor_id", Single, 1024;
    /// The system that reported it.
    Source = 13, "source", Single, 1024;
    /// The session it belongs to.
    SessionId = 14, "session_id", Single, 1024;
    /// The virtual machine concerned.
    VmId = 15, "vm_id", Single, 1024;
    /// The task it belongs to.
    TaskId = 16, "task_id", Single, 1024;
    /// The request it belongs to.
    RequestId = 17, "request_id", Single, 1024;
    /// What ties several requests together.
    CorrelationId = 18, "correlation_id", Single, 1024;
    /// The worker that handled it.
    WorkerId = 19, "worker_id", Single, 1024;
    /// The node's address.
    NodeIp = 20, "node_ip", Single, 1024;
    /// The caller's address.
    IpAddress = 21, "ip_address", Single, 1024;
    /// The HTTP method.
    HttpMethod = 22, "http_method", Single, 1024;
    /// The HTTP path.
    Path = 23, "path", Single, 1024;
    /// The HTTP status.
    HttpStatus = 24, "http_status", Single, 1024;
    /// How the caller proved who it is.
    AuthMethod = 25, "auth_method", Single, 1024;
    /// The personal access token used.
    PatUuid = 26, "pat_uuid", Single, 1024;
    /// The user it happened to.
    AffectedUserUuid = 27, "affected_user_uuid", Single, 1024;
    /// `true` if the event is a notification.
    Notification = 28, "notification", Single, 5;
    /// The kind of notification.
    NotificationType = 29, "notification_type", Single, 1024;
    /// `true` if a notification is shown without authentication.
    IsPublic = 30, "is_public", Single, 5;
    /// `true` if a notification is for every user.
    IsGlobal = 31, "is_global", Single, 5;
    /// The scopes an event belongs to; tenancy is decided by them and by the organisation.
    RealmIds = 32, "realm_ids", Multiple, 1024;
    /// The users a notification is for.
    TargetUserIds = 33, "target_user_ids", Multiple, 1024;
}

/// One more than the largest field number: the size of a table indexed by [`Field::index`].
pub(crate) const FIELD_SLOTS: usize = 34;

/// The same, to compare numbers with.
pub(crate) const FIELD_SLOTS_U8: u8 = 34;

impl Field {
    /// The fields of which an event may hold several values, ascending by number.
    pub const MULTIPLE: &'static [Field] = &[Field::RealmIds, Field::TargetUserIds];

    /// The number stored on disk.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The number as a table index, below `FIELD_SLOTS`.
    pub fn index(self) -> usize {
        usize::from(self.number())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of fields, as a bit per field number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet(u64);

impl FieldSet {
    /// The set with these bits; unknown bits are kept but never asked for.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// One bit per field number.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether no field is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds a field.
    pub fn insert(&mut self, field: Field) {
        self.0 |= 1 << field.number();
    }

    /// Takes a field out.
    pub fn remove(&mut self, field: Field) {
        self.0 &= !(1 << field.number());
    }

    /// The fields in it, ascending by number. Unknown bits are passed over.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            while left != 0 {
                let number = u8::try_from(left.trailing_zeros()).unwrap_or(u8::MAX);
                left &= left - 1;
                if let Some(field) = Field::from_number(number) {
                    return Some(field);
                }
            }
            None
        })
    }

    /// Whether a field is in it.
    pub fn contains(self, field: Field) -> bool {
        self.0 & (1 << field.number()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_slots_agree() {
        for (position, field) in Field::ALL.iter().enumerate() {
            assert_eq!(field.index(), position + 1);
            assert_eq!(Field::from_number(field.number()), Some(*field));
            assert_eq!(Field::from_name(field.name()), Some(*field));
        }
        let multiple: Vec<Field> =
            Field::ALL.iter().copied().filter(|field| field.values() == Values::Multiple).collect();
        assert_eq!(Field::MULTIPLE, multiple);
        // Records hold the values of single-valued fields first.
        assert!(Field::ALL.iter().all(|field| multiple.contains(field) || *field < multiple[0]));
        assert_eq!(FIELD_SLOTS, Field::ALL.len() + 1);
        assert_eq!(usize::from(FIELD_SLOTS_U8), FIELD_SLOTS);
        const { assert!(FIELD_SLOTS <= 64, "a FieldSet has 64 bits") };
    }
}
