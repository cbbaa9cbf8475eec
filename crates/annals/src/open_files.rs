//! How many files the process may hold open: a store needs one for each sealed segment.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that is refused the process goes on with what it has, and
/// a store with too many segments says so when it opens.
pub(crate) fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_highest_allowed() {
        allow_many();
        let limit = getrlimit(Resource::Nofile);
        // Without a hard limit the kernel has one of its own, which is not told.
        assert!(limit.current == limit.maximum || limit.maximum.is_none());
    }
}
