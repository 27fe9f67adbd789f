//! Which known name somebody probably meant.

/// The known name with the fewest edits from `name`, if they are few for its length.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_ascii_uppercase();
    let (edits, found) = known.map(|known| (edits(&name, known), known)).min_by_key(|(edits, _)| *edits)?;
    (edits <= (found.len() / 3).max(2)).then_some(found)
}

/// Insertions, deletions and replacements between two texts (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, one) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(one != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = || ["LISTEN", "DATABASE_URL", "DATABASE_READ_URL", "CAPACITY_MARGIN"].into_iter();
        assert_eq!(nearest("DATABSE_URL", known()), Some("DATABASE_URL"));
        assert_eq!(nearest("listen", known()), Some("LISTEN"));
        assert_eq!(nearest("CAPACITY_MARGINS", known()), Some("CAPACITY_MARGIN"));
        assert_eq!(nearest("SMTP_SERVER", known()), None);
    }
}
