//! Numbered pages, and the headers that lead from one to the next.

use axum::http::{HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::params::{SEVERAL, SINGLE};
use crate::config::Limits;
use crate::error::{Answer, Failure};
use crate::pages::Start;
use crate::params::Params;
use crate::request::Request;

const SIZE_DEFAULT: u32 = 10;
const SIZE_MAX: u32 = 300;
const PAGE: &str = "page";
const PAGE_SIZE: &str = "page_size";

/// The header with the number of all entries.
pub(super) const RESULT_COUNT: HeaderName = HeaderName::from_static("x-result-count");

/// What stays as it is in a link. Commas and semicolons do not: clients take the header apart at them.
const LINK_SAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) size: u32,
    pub(super) start: Start,
}

/// Reads `page` and `page_size`.
///
/// # Errors
/// 404 if the page is no number of at least 1 and not `last`.
pub(super) fn parse(params: &Params, limits: &Limits) -> Answer<Paging> {
    let size_max = SIZE_MAX.min(limits.page_events_max);
    let size = params.last(PAGE_SIZE).and_then(number).filter(|size| *size > 0);
    let size = size.map_or(SIZE_DEFAULT, |size| u32::try_from(size).unwrap_or(u32::MAX)).min(size_max);
    let start = match params.last(PAGE).filter(|page| !page.is_empty()) {
        None => Start::Offset(0),
        Some("last") => Start::LastPage,
        Some(page) => {
            let before = number(page).and_then(|page| page.checked_sub(1)).ok_or_else(invalid_page)?;
            // As far as this goes there are no events.
            Start::Offset(before.saturating_mul(u64::from(size)))
        }
    };
    Ok(Paging { size, start })
}

/// A whole number; one that is too large for 64 bits is the largest.
fn number(text: &str) -> Option<u64> {
    let digits = text.trim();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().unwrap_or(u64::MAX))
}

pub(super) fn invalid_page() -> Failure {
    super::not_found("Invalid page.")
}

/// The URLs of a list's pages.
pub(super) struct Links {
    /// Up to the path.
    base: String,
    /// Those that count, but the page.
    params: Vec<(String, String)>,
}

impl Links {
    /// Of a call that knows the filters, the pages and these: of `single` the last value counts, of `several`
    /// each. What it does not know is not repeated: a client could have the answer four times as large as its
    /// request.
    pub(super) fn of(request: &Request, single: &[&str], several: &[&str]) -> Self {
        let params = &request.params;
        let mut kept: Vec<(String, String)> = Vec::new();
        for name in SINGLE.iter().chain(&[PAGE_SIZE]).chain(single) {
            kept.extend(params.last(name).map(|value| ((*name).to_owned(), value.to_owned())));
        }
        for name in SEVERAL.iter().chain(several) {
            for value in params.all(name) {
                let pair = ((*name).to_owned(), value.to_owned());
                if !kept.contains(&pair) {
                    kept.push(pair);
                }
            }
        }
        Self { base: format!("{}{}", request.origin, request.uri.path()), params: kept }
    }

    /// The URL of a page; the first one goes without a number. Sorted by name, as the vendor's are.
    fn url(&self, page: u64) -> String {
        let mut params: Vec<(&str, String)> =
            self.params.iter().map(|(name, value)| (name.as_str(), encode(value))).collect();
        if page > 1 {
            params.push((PAGE, page.to_string()));
        }
        params.sort_by_key(|(name, _)| *name);
        let pairs: Vec<String> = params.iter().map(|(name, value)| format!("{}={value}", encode(name))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.base, pairs.join("&"))
    }

    /// The headers of the page of `size` entries behind `offset` of `total`.
    ///
    /// # Errors
    /// 404 if there is no such page. An empty list has one.
    pub(super) fn headers(&self, total: u64, offset: u64, size: u32) -> Answer<Vec<(HeaderName, HeaderValue)>> {
        let size = u64::from(size.max(1));
        let (page, last) = (offset / size + 1, total.div_ceil(size).max(1));
        if page > last {
            return Err(invalid_page());
        }
        let mut links = vec![(1, "first")];
        if page > 1 {
            links.push((page - 1, "prev"));
        }
        if page < last {
            links.push((page + 1, "next"));
        }
        links.push((last, "last"));
        let links: Vec<String> =
            links.into_iter().map(|(page, name)| format!("<{}>; rel=\"{name}\"", self.url(page))).collect();
        let link = HeaderValue::from_str(&links.join(", ")).map_err(|error| Failure::internal(&error))?;
        Ok(vec![(RESULT_COUNT, HeaderValue::from(total)), (header::LINK, link)])
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, LINK_SAFE).to_string().replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<(u32, Start)> {
        parse(&Params::parse(Some(query)).unwrap(), &Limits::default()).ok().map(|paging| (paging.size, paging.start))
    }

    #[test]
    fn sizes_that_are_none_are_the_default_and_large_ones_the_largest() {
        for (query, size) in [
            ("", 10),
            ("page_size=", 10),
            ("page_size=0", 10),
            ("page_size=-5", 10),
            ("page_size=x", 10),
            ("page_size=1.5", 10),
            ("page_size=1", 1),
            ("page_size=300", 300),
            ("page_size=301", 300),
            ("page_size=99999999999999999999999", 300),
            ("page_size=5&page_size=7", 7),
        ] {
            assert_eq!(read(query), Some((size, Start::Offset(0))), "{query}");
        }
    }

    #[test]
    fn pages_are_numbers_from_1_or_the_last() {
        assert_eq!(read("page=3"), Some((10, Start::Offset(20))));
        assert_eq!(read("page="), Some((10, Start::Offset(0))));
        assert_eq!(read("page=last&page_size=5"), Some((5, Start::LastPage)));
        assert_eq!(read("page=99999999999999999999999"), Some((10, Start::Offset(u64::MAX))));
        for query in ["page=0", "page=-1", "page=x", "page=Last", "page=1.0", "page=%00"] {
            assert_eq!(read(query), None, "{query}");
        }
    }

    #[test]
    fn links_lead_to_the_pages_there_are() {
        let params = [("page_size", "5"), ("message", "a,b;c d"), ("event_type", "é")];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let links = Links { base: "http://h/api/events/".to_owned(), params };
        let link = |total, offset| {
            let headers = links.headers(total, offset, 5).ok()?;
            Some(headers[1].1.to_str().unwrap().to_owned())
        };
        let kept = "message=a%2Cb%3Bc+d";
        let first = format!("http://h/api/events/?event_type=%C3%A9&{kept}&page_size=5");
        let page = |number: u64| format!("http://h/api/events/?event_type=%C3%A9&{kept}&page={number}&page_size=5");
        assert_eq!(link(0, 0).unwrap(), format!("<{first}>; rel=\"first\", <{first}>; rel=\"last\""));
        assert_eq!(
            link(11, 5).unwrap(),
            format!(
                "<{first}>; rel=\"first\", <{first}>; rel=\"prev\", <{}>; rel=\"next\", <{}>; rel=\"last\"",
                page(3),
                page(3)
            )
        );
        assert_eq!(
            link(11, 10).unwrap(),
            format!("<{first}>; rel=\"first\", <{}>; rel=\"prev\", <{}>; rel=\"last\"", page(2), page(3))
        );
        assert_eq!(link(10, 10), None);
        assert_eq!(link(0, 5), None);
    }
}
