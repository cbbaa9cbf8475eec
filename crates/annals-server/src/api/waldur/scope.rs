//! `scope`: the events of one thing, named by its URL as the vendor's clients name it.

use annals_engine::{Field, Filter};
use percent_encoding::percent_decode_str;

use super::uuid;

/// What an event holds about a thing of a collection, besides the resource it is about.
const COLLECTIONS: &[(&str, &[Field])] = &[
    ("customers", &[Field::OrgId]),
    ("projects", &[Field::ProjectId]),
    ("users", &[Field::UserId, Field::AffectedUserUuid]),
];

/// The events of what `url` names: `https://host/.../COLLECTION/ID/`, or the path alone. Nothing if it
/// is no such URL.
pub(super) fn filter(url: &str) -> Option<Filter> {
    let path = match url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) {
        Some(rest) => rest.get(rest.find('/').filter(|host_len| *host_len > 0)?..)?,
        None => url,
    };
    if url.contains(['?', '#']) {
        return None;
    }
    let path = path.strip_prefix('/')?;
    let mut parts = path.strip_suffix('/').unwrap_or(path).rsplit('/');
    let (id, collection) = (parts.next()?, parts.next()?);
    if id.is_empty() || collection.is_empty() || parts.any(str::is_empty) {
        return None;
    }
    // Bytes that are no text name nothing that is stored; as they are written they find nothing.
    let id = percent_decode_str(id).decode_utf8().unwrap_or_else(|_not_text| id.into());
    let fields = COLLECTIONS.iter().find(|(name, _)| *name == collection).map_or(&[][..], |(_, fields)| *fields);
    let about = |field: &Field| match uuid::parse_plain(&id) {
        Some(uuid) => uuid::held(*field, uuid),
        None => Filter::term(*field, &*id),
    };
    Some(Filter::Or(fields.iter().chain(&[Field::ResourceId]).map(about).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collection_says_which_fields_count() {
        let named = |fields: &[Field]| Some(Filter::Or(fields.iter().map(|field| Filter::term(*field, "x")).collect()));
        for (url, fields) in [
            ("https://h:8000/api/customers/x/", &[Field::OrgId, Field::ResourceId][..]),
            ("http://h/api/projects/x", &[Field::ProjectId, Field::ResourceId]),
            ("/api/users/%78/", &[Field::UserId, Field::AffectedUserUuid, Field::ResourceId]),
            ("/api/openstack-instances/x/", &[Field::ResourceId]),
        ] {
            assert_eq!(filter(url), named(fields), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_thing_is_none() {
        for url in [
            "",
            "x",
            "/",
            "/x",
            "/x/",
            "//x",
            "/a//b",
            "https://",
            "https://h",
            "https://h/",
            "https://h/a/",
            "https:///a/b",
            "ftp://h/a/b",
            "/a/b?c",
            "/a/b#c",
            "a/b",
        ] {
            assert_eq!(filter(url), None, "{url}");
        }
    }
}
