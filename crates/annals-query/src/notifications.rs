//! Notifications: events that are shown to users. Who sees one is decided here, and nowhere else.

use annals_engine::{Delete, Engine, Field, Filter, StoredEvent, TenantScope};

use crate::delete::{DeleteOutcome, deletable, writable_event};
use crate::error::Result;
use crate::lookup::{EventRef, find_among, not_found, sees};
use crate::plan::View;
use crate::query::{Query, Reach};

const YES: &str = "true";
const NO: &str = "false";

impl Query {
    /// The notifications of one user: those `scope` sees and those that have neither realm nor
    /// organisation and so are for every key, if they are global or targeted at the user.
    ///
    /// Filters added to it narrow it, as they do any query. Whether a notification has expired is in no
    /// index: ask [`is_expired`] of each event.
    pub fn notifications(scope: &TenantScope, user_id: &str) -> Self {
        let mut query = Query::new(scope).filter(is_notification()).filter(is_for(user_id));
        query.reach = Reach::OwnAndUnowned;
        query
    }

    /// The notifications of every tenant that are public: whoever published them opened them to everybody,
    /// so nobody's scope narrows them.
    pub fn public_notifications() -> Self {
        Query::new(&TenantScope::Unlimited).filter(is_notification()).filter(Filter::term(Field::IsPublic, YES))
    }
}

fn is_notification() -> Filter {
    Filter::term(Field::Notification, YES)
}

/// Global, or targeted at the user.
fn is_for(user_id: &str) -> Filter {
    let untargeted = Filter::Prefix(Field::TargetUserIds, String::new()).not();
    Filter::Or(vec![
        Filter::term(Field::TargetUserIds, user_id),
        Filter::term(Field::IsGlobal, YES),
        Filter::term(Field::IsGlobal, NO).not().and(untargeted),
    ])
}

/// What `scope` sees, and what belongs to nobody.
pub(crate) fn visible_or_unowned(scope: &TenantScope) -> Filter {
    let has = |field| Filter::Prefix(field, String::new());
    match scope {
        TenantScope::Unlimited => Filter::All,
        TenantScope::Limited { .. } => {
            Filter::Or(vec![scope.visible(), has(Field::RealmIds).not().and(has(Field::OrgId).not())])
        }
    }
}

/// The users that a notification is for.
pub fn target_user_ids(notification: &StoredEvent) -> impl Iterator<Item = &str> {
    notification.keywords().filter(|(field, _)| *field == Field::TargetUserIds).map(|(_, user_id)| user_id)
}

/// Whether a notification is for every user: it says so, or says nothing and names no targets.
pub fn is_global(notification: &StoredEvent) -> bool {
    match notification.get(Field::IsGlobal) {
        Some(YES) => true,
        Some(NO) => false,
        _ => target_user_ids(notification).next().is_none(),
    }
}

/// Whether a notification is not shown any more at `now_us` (UTC microseconds).
pub fn is_expired(notification: &StoredEvent, now_us: i64) -> bool {
    notification.expires_at_us().is_some_and(|expires_at_us| expires_at_us <= now_us)
}

/// The notification of that name, if it is one of [`Query::notifications`] and has not expired.
///
/// # Errors
/// `NotFound`, also if it is another user's or another tenant's; `Engine`.
pub fn notification_for(
    view: &impl View,
    scope: &TenantScope,
    user_id: &str,
    name: &EventRef,
    now_us: i64,
) -> Result<StoredEvent> {
    let is_shown = |event: &StoredEvent| {
        let unowned = event.realm_ids().next().is_none() && event.get(Field::OrgId).is_none();
        let is_for = is_global(event) || target_user_ids(event).any(|target| target == user_id);
        event.get(Field::Notification) == Some(YES)
            && (unowned || sees(scope, event))
            && is_for
            && !is_expired(event, now_us)
    };
    find_among(view, name, &is_shown)?.map(|found| found.event).ok_or_else(not_found)
}

/// The notification of that name, expired or not, if `scope` may change it.
///
/// # Errors
/// `NotFound` if `scope` sees no such notification; `Forbidden` if it belongs to a foreign realm as well;
/// `Engine`.
pub fn writable_notification(view: &impl View, scope: &TenantScope, name: &EventRef) -> Result<StoredEvent> {
    let event = writable_event(view, scope, name)?;
    if event.get(Field::Notification) == Some(YES) { Ok(event) } else { Err(not_found()) }
}

/// Deletes the notification of that name; of an identity, all notifications that have it. Durable and
/// visible to every later query on return.
///
/// # Errors
/// As for [`writable_notification`].
pub fn delete_notification(engine: &Engine, scope: &TenantScope, name: &EventRef) -> Result<DeleteOutcome> {
    let named = deletable(&engine.snapshot(), scope, name)?;
    let notifications = named.iter().filter(|event| event.get(Field::Notification) == Some(YES));
    let sequences: Vec<u64> = notifications.map(|event| event.sequence).collect();
    // Without one nothing is deleted, and that is not found either.
    let deleted = if sequences.is_empty() { 0 } else { engine.delete(&Delete::Sequences(sequences))? };
    if deleted > 0 { Ok(DeleteOutcome { deleted }) } else { Err(not_found()) }
}
