//! A query as plain data.

use annals_engine::{FILTER_DEPTH_MAX, Filter, TenantScope};

use crate::cursor::CursorPosition;
use crate::error::{Error, Result};
use crate::notifications::visible_or_unowned;

/// Events of one page if the query does not say.
pub const LIMIT_DEFAULT: u32 = 100;
/// The most events of one page, inclusive: ten times the largest page of any face, so that an export can
/// take bigger steps, while the table of a page's rows stays at a few megabytes. What the events themselves
/// take is bounded by [`Query::size_max_bytes`].
pub const LIMIT_MAX: u32 = 100_000;

/// The order of a page. Ties of `created_at` are broken by the sequence in the same direction, ties of the
/// event type always by newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Oldest first.
    CreatedAtAsc,
    /// Newest first.
    #[default]
    CreatedAtDesc,
    /// Event types in byte order.
    EventTypeAsc,
    /// Event types in reverse byte order.
    EventTypeDesc,
}

impl Order {
    /// Whether events are ordered by their type first.
    pub(crate) fn is_by_type(self) -> bool {
        matches!(self, Order::EventTypeAsc | Order::EventTypeDesc)
    }
}

/// Whether a page says how many events match in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Total {
    /// It does, exactly; every part that can match is asked.
    #[default]
    Exact,
    /// It does not; parts that lie wholly behind the page are not asked.
    None,
}

/// How far the scope of a query goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The tenant's own events.
    Own,
    /// Those, and what has neither realm nor organisation. Only for queries that are bound to
    /// notifications from the start: see [`Query::notifications`].
    OwnAndUnowned,
}

/// Which events, in which order, which page of them. It cannot be built without saying who asks.
///
/// ```
/// use annals_engine::{Field, Filter, TenantScope};
/// use annals_query::{Order, Query};
/// let query = Query::new(&TenantScope::Unlimited)
///     .filter(Filter::term(Field::EventType, "user.login"))
///     .order(Order::CreatedAtAsc)
///     .offset(1_000_000)
///     .limit(50);
/// # let _ = query;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(crate) scope: TenantScope,
    pub(crate) reach: Reach,
    pub(crate) filter: Filter,
    pub(crate) order: Order,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
    pub(crate) after: Option<CursorPosition>,
    pub(crate) total: Total,
    pub(crate) size_max_bytes: Option<u64>,
}

impl Query {
    /// The newest [`LIMIT_DEFAULT`] events that `scope` sees, with their total.
    pub fn new(scope: &TenantScope) -> Self {
        Self {
            scope: scope.clone(),
            reach: Reach::Own,
            filter: Filter::All,
            order: Order::default(),
            limit: LIMIT_DEFAULT,
            offset: 0,
            after: None,
            total: Total::default(),
            size_max_bytes: None,
        }
    }

    /// Keeps only events that match, of those that matched so far: filters add up.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = self.filter.and(filter);
        self
    }

    /// The order; newest first if it is not set.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The most events of the page, up to [`LIMIT_MAX`]; 0 gives a page that only counts.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Events to leave out first, counted behind the cursor if there is one. As deep as one likes.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Starts behind the last event of an earlier page.
    #[must_use]
    pub fn after(mut self, position: CursorPosition) -> Self {
        self.after = Some(position);
        self
    }

    /// Whether the page says how many match; it does if this is not set.
    #[must_use]
    pub fn total(mut self, total: Total) -> Self {
        self.total = total;
        self
    }

    /// Ends the page early, behind at least one event, before its values exceed so many bytes.
    #[must_use]
    pub fn size_max_bytes(mut self, size_max_bytes: u64) -> Self {
        self.size_max_bytes = Some(size_max_bytes);
        self
    }

    /// Who asks.
    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// `InvalidInput` if the limit is too large.
    pub(crate) fn check_limit(&self) -> Result<()> {
        if self.limit > LIMIT_MAX {
            return Err(Error::invalid_input(format!("limit is {}, the range is 0 to {LIMIT_MAX}", self.limit)));
        }
        Ok(())
    }

    /// What the engine is asked: the filter of the query and the scope of who asks.
    ///
    /// # Errors
    /// `InvalidInput` if the filter nests too deep.
    pub(crate) fn scoped_filter(&self) -> Result<Filter> {
        let visible = match self.reach {
            Reach::Own => self.scope.visible(),
            Reach::OwnAndUnowned => visible_or_unowned(&self.scope),
        };
        scoped(visible, &self.filter)
    }
}

/// Both filters, if they do not nest too deep to be walked by recursion.
pub(crate) fn scoped(scope: Filter, filter: &Filter) -> Result<Filter> {
    // This way round a filter that is an AND takes the scope in as one more condition.
    let both = filter.clone().and(scope);
    if both.depth() > FILTER_DEPTH_MAX {
        return Err(Error::invalid_input(format!(
            "a filter nests at most {FILTER_DEPTH_MAX} levels deep with its scope, this one {}",
            both.depth()
        )));
    }
    Ok(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::Field;

    #[test]
    fn filters_add_up_under_the_scope() {
        let scope = TenantScope::Limited { realms: vec!["r".into()], orgs: Vec::new() };
        let query =
            Query::new(&scope).filter(Filter::term(Field::EventType, "a")).filter(Filter::term(Field::UserId, "u"));
        let Filter::And(parts) = query.scoped_filter().unwrap() else { panic!("three parts") };
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2], scope.visible());
    }

    #[test]
    fn too_deep_a_filter_is_refused() {
        let mut filter = Filter::All;
        for _ in 1..FILTER_DEPTH_MAX {
            filter = filter.not();
        }
        let query = Query::new(&TenantScope::Unlimited);
        assert!(query.clone().filter(filter.clone()).scoped_filter().is_ok());
        assert!(query.filter(filter.not()).scoped_filter().is_err());
    }
}
