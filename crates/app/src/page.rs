//! Lists in pages: the keys of entries are ordered, and a page begins behind the last key of the one before.
//!
//! Invariant: following [`Page::next`] shows each entry that stays where it is exactly once, whatever comes and goes
//! between two pages.

/// Which page of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging<K> {
    /// The most entries; at least 1.
    pub limit: usize,
    /// The last key of the page before.
    pub after: Option<K>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    pub entries: Vec<T>,
    /// The key behind which the next page begins; `None` at the end.
    pub next: Option<K>,
}

impl<K> Paging<K> {
    /// How many rows to read: one more than are shown tells whether there is a next page.
    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.limit.saturating_add(1)).unwrap_or(i64::MAX)
    }

    /// The page of `rows`, which were read behind `after` and are at most [`rows`](Self::rows) many.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, key: impl FnOnce(&T) -> K) -> Page<T, K> {
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| has_more).map(key);
        Page { entries: rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let paging = Paging { limit: 2, after: Some(0) };
        assert_eq!(paging.rows(), 3);
        for (rows, entries, next) in
            [(vec![], vec![], None), (vec![1, 2], vec![1, 2], None), (vec![1, 2, 3], vec![1, 2], Some(2))]
        {
            assert_eq!(paging.page(rows, |key| *key), Page { entries, next });
        }
    }
}
