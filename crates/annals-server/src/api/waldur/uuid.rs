//! UUIDs as texts: the store keeps what was sent, this face asks and shows without hyphens.

use annals_engine::{EventId, Field, Filter};

/// Digits of a UUID without hyphens.
const SIMPLE_LEN: usize = 32;
/// Characters of a UUID with hyphens.
const HYPHENATED_LEN: usize = 36;
/// Characters of an id that reads as an event's and is no UUID.
const HEX24_LEN: usize = 24;

/// Reads a UUID in any form.
pub(super) fn parse(text: &str) -> Option<EventId> {
    let text = text.trim();
    (text.len() != HEX24_LEN).then(|| text.parse().ok()).flatten()
}

/// Reads a UUID of 32 hex digits, with or without hyphens.
pub(super) fn parse_plain(text: &str) -> Option<EventId> {
    matches!(text.len(), SIMPLE_LEN | HYPHENATED_LEN).then(|| parse(text)).flatten()
}

/// The texts under which a UUID is found in the store: with and without hyphens, lower and upper case.
pub(super) fn forms(uuid: EventId) -> Vec<String> {
    let mut forms = vec![uuid.to_string(), uuid.to_simple()];
    let upper: Vec<String> = forms.iter().map(|form| form.to_ascii_uppercase()).collect();
    forms.extend(upper);
    forms.dedup();
    forms
}

/// The 32 digits of a stored text, if it is one of the forms that are found: what is shown can be asked for.
pub(super) fn shown(stored: &str) -> Option<String> {
    let uuid = parse_plain(stored)?;
    forms(uuid).iter().any(|form| form == stored).then(|| uuid.to_simple())
}

/// Events that hold the UUID in a field.
pub(super) fn held(field: Field, uuid: EventId) -> Filter {
    Filter::AnyOf(field, forms(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMPLE: &str = "507f1f77bcf86cd799439044507f1f77";

    #[test]
    fn a_uuid_is_read_in_any_form_and_24_digits_are_none() {
        let uuid = parse(SIMPLE).unwrap();
        for text in [
            "507f1f77-bcf8-6cd7-9943-9044507f1f77",
            "507F1F77-BCF8-6CD7-9943-9044507F1F77",
            "{507f1f77-bcf8-6cd7-9943-9044507f1f77}",
            "urn:uuid:507f1f77-bcf8-6cd7-9943-9044507f1f77",
            " 507f1f77bcf86cd799439044507f1f77 ",
        ] {
            assert_eq!(parse(text), Some(uuid), "{text}");
        }
        for text in ["", "1", "507f1f77bcf86cd799439044", "507f1f77-bcf8", "507f1f77bcf86cd799439044507f1f7g"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_plain("{507f1f77-bcf8-6cd7-9943-9044507f1f77}"), None);
    }

    #[test]
    fn what_is_shown_is_found() {
        let uuid = parse(SIMPLE).unwrap();
        assert_eq!(forms(uuid).len(), 4);
        for form in forms(uuid) {
            assert_eq!(shown(&form).as_deref(), Some(SIMPLE), "{form}");
        }
        for text in ["507f1f77BCF86cd799439044507f1f77", "org-1", "507f1f77bcf86cd799439044", ""] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
