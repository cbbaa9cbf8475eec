//! What orgs' calls are given in their paths and queries, and what the lists by type mean.

use annals_engine::{Field, Filter};

use crate::config::Limits;
use crate::error::{Answer, Failure};
use crate::params::{Params, whole};
use crate::request::Request;

const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 500;
/// Bytes of the name of an organisation or a container.
const NAME_SIZE_MAX: usize = 200;
/// Longer words have too many spellings to ask for each of them.
const SPELLINGS_OF_MAX: usize = 8;
/// The statuses of an access that failed.
const FAILED: [&str; 5] = ["fail", "failed", "failure", "denied", "error"];

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) limit: u32,
    pub(super) offset: u64,
}

/// `limit` and `offset`; what else there is is ignored.
///
/// # Errors
/// 400 with everything that is out of range.
pub(super) fn paging(params: &Params, limits: &Limits) -> Answer<Paging> {
    let mut wrong = Vec::new();
    let mut read = |name: &str, default: u64, min: u64, max: u64| {
        let Some(text) = params.last(name) else { return default };
        whole(name, text, min, max).unwrap_or_else(|detail| {
            wrong.push(detail);
            default
        })
    };
    let limit_max = LIMIT_MAX.min(limits.page_events_max.into());
    let limit = u32::try_from(read("limit", LIMIT_DEFAULT.min(limit_max), 1, limit_max)).unwrap_or(u32::MAX);
    let offset = read("offset", 0, 0, u64::MAX);
    Failure::invalid_all(wrong).map_or(Ok(Paging { limit, offset }), Err)
}

/// An open part of the path: any text that can name something.
///
/// # Errors
/// 400 if it is empty or too long, or holds control characters.
pub(super) fn path_text(request: &Request, name: &str) -> Answer<String> {
    let text = request.part(name);
    if text.is_empty() {
        return Err(Failure::invalid(name, "must not be empty"));
    }
    if text.len() > NAME_SIZE_MAX {
        return Err(Failure::invalid(name, format!("must not have more than {NAME_SIZE_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Failure::invalid(name, "must not hold control characters"));
    }
    Ok(text.to_owned())
}

/// Of what matches, the events of containers.
pub(super) fn of_containers(filter: Filter) -> Filter {
    filter.and(Filter::Prefix(Field::ContainerId, String::new()))
}

/// Events of this type, however it is spelled: each face keeps types as they were written.
pub(super) fn of_type(event_type: &str) -> Filter {
    Filter::AnyOf(Field::EventType, spellings(event_type))
}

/// Failures, and accesses that failed.
pub(super) fn failed() -> Filter {
    let failed = Filter::AnyOf(Field::Status, FAILED.iter().flat_map(|word| spellings(word)).collect());
    Filter::Or(vec![of_type("FAIL"), of_type("ACCESS").and(failed)])
}

/// A word of ASCII letters in every mixture of upper and lower case.
fn spellings(word: &str) -> Vec<String> {
    debug_assert!(word.len() <= SPELLINGS_OF_MAX, "their number doubles with every letter");
    let mut spellings = vec![String::new()];
    for letter in word.chars() {
        let with = |letter: char| spellings.iter().map(move |spelling| format!("{spelling}{letter}"));
        spellings = with(letter.to_ascii_lowercase()).chain(with(letter.to_ascii_uppercase())).collect();
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_defaults_and_bounds() {
        let paging = |query| paging(&Params::parse(Some(query)).unwrap(), &Limits::default());
        assert_eq!(paging("").unwrap(), Paging { limit: 100, offset: 0 });
        assert_eq!(paging("limit=500&offset=7&x=1").unwrap(), Paging { limit: 500, offset: 7 });
        assert_eq!(paging("limit=0&offset=-1").unwrap_err().message, "limit must be >= 1; offset must be >= 0");
        assert_eq!(paging("limit=501").unwrap_err().message, "limit must be <= 500");
    }

    #[test]
    fn a_word_has_every_spelling_once() {
        let mut all = spellings("FAIL");
        assert!(all.contains(&"FaIl".to_owned()));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 16);
        assert!(all.iter().all(|spelling| spelling.eq_ignore_ascii_case("fail")));
    }

    #[test]
    fn the_words_of_failure_are_those_that_ingest_knows() {
        assert!(FAILED.iter().all(|word| annals_json::is_failure_word(word) && word.len() <= SPELLINGS_OF_MAX));
    }
}
