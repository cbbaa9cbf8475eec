//! What somebody may have meant.

/// The likeliest of `known` for `text`, if one is near enough.
pub(super) fn nearest<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // A third of the letters may be wrong; with more of them anything is like anything.
    let distance_max = (text.chars().count() / 3).max(1);
    known
        .map(|name| (distance(text, name, distance_max), name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters are to be put in, taken out, replaced or swapped with their neighbour; anything above
/// `max` for texts whose lengths alone are that far apart.
fn distance(a: &str, b: &str, max: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Names are short; a long text is none of them and costs nothing.
    if a.len().abs_diff(b.len()) > max {
        return max + 1;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, &letter_a) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_b = None;
        for (column, &letter_b) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(letter_a != letter_b);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if previous_a == Some(letter_b) && previous_b == Some(letter_a) && column > 0 {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            previous_b = Some(letter_b);
        }
        previous_a = Some(letter_a);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("listen", "listen", 0),
            ("lisen", "listen", 1),
            ("listenn", "listen", 1),
            ("lisetn", "listen", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("a", "é", 1),
        ] {
            assert_eq!(distance(a, b, 10), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = || ["listen", "log_size", "limits"].into_iter();
        assert_eq!(nearest("lisen", known()), Some("listen"));
        assert_eq!(nearest("logsize", known()), Some("log_size"));
        assert_eq!(nearest("password", known()), None);
        assert_eq!(nearest("", known()), None);
    }
}
