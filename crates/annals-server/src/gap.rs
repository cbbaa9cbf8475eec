//! What a degraded store leaves out, told with every answer: as a header, and in the native API as a member.

use annals_engine::Gap;
use axum::http::HeaderValue;
use serde_json::{Value, json};

use crate::auth::grant::shown_time;

/// The header's name.
pub(crate) const HEADER: &str = "annals-gap";
/// Gaps that a header names; more are `...`.
const NAMED_MAX: usize = 16;

/// The ranges of sequences that may be missing, such as `5-10, 20-`; `None` if nothing is.
pub(crate) fn header(gaps: &[Gap]) -> Option<HeaderValue> {
    if gaps.is_empty() {
        return None;
    }
    let mut ranges: Vec<String> = gaps.iter().take(NAMED_MAX).map(range).collect();
    if gaps.len() > NAMED_MAX {
        ranges.push("...".to_owned());
    }
    HeaderValue::from_str(&ranges.join(", ")).ok()
}

fn range(gap: &Gap) -> String {
    gap.last_sequence
        .map_or_else(|| format!("{}-", gap.first_sequence), |last| format!("{}-{last}", gap.first_sequence))
}

/// The same as a list of objects.
pub(crate) fn shown(gaps: &[Gap]) -> Value {
    let one = |gap: &Gap| {
        let bounds = gap.created_at_us.as_ref();
        json!({
            "first_sequence": gap.first_sequence,
            "last_sequence": gap.last_sequence,
            "events_max": gap.events_max,
            "created_at_min": bounds.map(|bounds| shown_time(*bounds.start())),
            "created_at_max": bounds.map(|bounds| shown_time(*bounds.end())),
        })
    };
    gaps.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(first_sequence: u64, last_sequence: Option<u64>) -> Gap {
        Gap { first_sequence, last_sequence, events_max: None, created_at_us: None }
    }

    #[test]
    fn a_header_names_ranges() {
        assert_eq!(header(&[]), None);
        assert_eq!(header(&[gap(5, Some(10)), gap(20, None)]).unwrap(), "5-10, 20-");
        let many: Vec<Gap> = (1..30).map(|first| gap(first, Some(first))).collect();
        assert!(header(&many).unwrap().to_str().unwrap().ends_with("16-16, ..."));
    }
}
