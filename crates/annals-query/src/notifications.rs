//! Notifications: events that are shown to users. Who sees one is decided here, and nowhere else.

use annals_engine::{Delete, Engine, Field, Filter, StoredEvent, TenantScope};

use crate::delete::{DeleteOutcome, check_writable};
use crate::error::Result;
use crate::lookup::{Counts, EventRef, Found, all_with_id, find_among, not_found, sees};
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
    // First what says nothing about being global: usually nothing is left to look for among the targets.
    let unsaid = Filter::any_of(Field::IsGlobal, [YES, NO]).not();
    let untargeted = Filter::Prefix(Field::TargetUserIds, String::new()).not();
    Filter::Or(vec![
        Filter::term(Field::TargetUserIds, user_id),
        Filter::term(Field::IsGlobal, YES),
        unsaid.and(untargeted),
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

/// The notification of that name among the events that count, if it is one of [`Query::notifications`] and
/// has not expired.
///
/// # Errors
/// `NotFound`, also if it is another user's or another tenant's; `Engine`.
pub fn notification_for(
    view: &impl View,
    scope: &TenantScope,
    user_id: &str,
    name: &EventRef,
    now_us: i64,
    counts: Counts<'_>,
) -> Result<StoredEvent> {
    let is_shown = |event: &StoredEvent| {
        let unowned = event.realm_ids().next().is_none() && event.get(Field::OrgId).is_none();
        let is_for = is_global(event) || target_user_ids(event).any(|target| target == user_id);
        says_so(event) && (unowned || sees(scope, event)) && is_for && !is_expired(event, now_us) && counts(event)
    };
    find_among(view, name, &is_shown)?.map(|found| found.event).ok_or_else(not_found)
}

/// The notification of that name, expired or not, if `scope` may change it.
///
/// # Errors
/// `NotFound` if `scope` sees no such notification; `Forbidden` if it belongs to a foreign realm as well;
/// `Engine`.
pub fn writable_notification(view: &impl View, scope: &TenantScope, name: &EventRef) -> Result<StoredEvent> {
    let event = named(view, scope, name)?.event;
    check_writable(scope, &event)?;
    Ok(event)
}

/// Deletes the notification of that name; of an identity, all notifications that have it. Durable and
/// visible to every later query on return.
///
/// # Errors
/// As for [`writable_notification`], and `Forbidden` if one of them belongs to a foreign realm as well; then
/// nothing is deleted.
pub fn delete_notification(engine: &Engine, scope: &TenantScope, name: &EventRef) -> Result<DeleteOutcome> {
    let snapshot = engine.snapshot();
    let found = named(&snapshot, scope, name)?;
    let counts = |event: &StoredEvent| says_so(event) && sees(scope, event);
    let doomed = if found.by_id { all_with_id(&snapshot, found.event.id, &counts)? } else { vec![found.event] };
    for event in &doomed {
        check_writable(scope, event)?;
    }
    let deleted = engine.delete(&Delete::Sequences(doomed.iter().map(|event| event.sequence).collect()))?;
    // Somebody else may have deleted them since the snapshot was taken.
    if deleted > 0 { Ok(DeleteOutcome { deleted }) } else { Err(not_found()) }
}

fn named(view: &impl View, scope: &TenantScope, name: &EventRef) -> Result<Found> {
    find_among(view, name, &|event| says_so(event) && sees(scope, event))?.ok_or_else(not_found)
}

fn says_so(event: &StoredEvent) -> bool {
    event.get(Field::Notification) == Some(YES)
}
