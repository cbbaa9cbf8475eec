//! Tests of a text; substring search takes upper and lower case as the same.

use memchr::memmem::Finder;

/// A needle, prepared once per query.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    folded: String,
    finder: Finder<'static>,
}

impl Needle {
    /// Prepares a needle. Case folding is Unicode's simple lower case, so that `É` finds `é`.
    pub(crate) fn new(needle: &str) -> Self {
        let folded = needle.to_lowercase();
        let finder = Finder::new(folded.as_bytes()).into_owned();
        Self { folded, finder }
    }

    /// Whether `text` (UTF-8) holds the needle. `scratch` is reused from call to call.
    pub(crate) fn is_in(&self, text: &[u8], scratch: &mut Vec<u8>) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        scratch.clear();
        if text.is_ascii() {
            scratch.extend(text.iter().map(u8::to_ascii_lowercase));
        } else {
            let text = String::from_utf8_lossy(text);
            scratch.extend_from_slice(text.to_lowercase().as_bytes());
        }
        self.finder.find(scratch).is_some()
    }
}

/// What a text is asked.
#[derive(Clone, Debug)]
pub(crate) enum TextTest<'a> {
    /// Does it hold this?
    Contains(Box<Needle>),
    /// Is it this?
    Equals(&'a [u8]),
}

impl TextTest<'_> {
    /// Does a text hold `needle`, upper and lower case alike?
    pub(crate) fn contains(needle: &str) -> Self {
        TextTest::Contains(Box::new(Needle::new(needle)))
    }

    /// What is looked for, folded if case does not count.
    pub(crate) fn wanted(&self) -> &[u8] {
        match self {
            TextTest::Contains(needle) => needle.folded.as_bytes(),
            TextTest::Equals(wanted) => wanted,
        }
    }

    /// Whether a text passes. `scratch` is reused from call to call.
    pub(crate) fn passes(&self, text: &[u8], scratch: &mut Vec<u8>) -> bool {
        match self {
            TextTest::Contains(needle) => needle.is_in(text, scratch),
            TextTest::Equals(wanted) => text == *wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count() {
        let mut scratch = Vec::new();
        assert!(Needle::new("LoGoN").is_in(b"Successful logon", &mut scratch));
        assert!(Needle::new("caf\u{c9}").is_in("un CAF\u{e9} noir".as_bytes(), &mut scratch));
        assert!(Needle::new("").is_in(b"", &mut scratch));
        assert!(!Needle::new("x").is_in(b"", &mut scratch));
        assert!(!Needle::new("logoff").is_in(b"logon", &mut scratch));
    }
}
