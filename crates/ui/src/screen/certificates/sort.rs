//! By which column the bundles of a page stand.
//!
//! The index that carries an account's bundles has them in the order of production, and by that any number of them is paged.
//! By another column they are sorted once they are read, and so only where no more than [`SORTED_MAX`] match.

use super::filter::Filter;
use crate::limits::SORTED_MAX;
use app::{BundleView, Order};

/// A column that can be sorted by, besides that of production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Bundle,
    Quantity,
    State,
    Device,
}

impl Column {
    const ALL: [Self; 4] = [Self::Bundle, Self::Quantity, Self::State, Self::Device];

    const fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Quantity => "quantity",
            Self::State => "state",
            Self::Device => "device",
        }
    }

    const fn heading(self) -> &'static str {
        match self {
            Self::Bundle => "Bundle",
            Self::Quantity => "Quantity",
            Self::State => "State",
            Self::Device => "Device and issuance id",
        }
    }
}

/// A column, and from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    column: Column,
    is_descending: bool,
}

impl Sort {
    /// As it stands in an address: the column's name, with a minus before it from the largest on.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, is_descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let column = Column::ALL.into_iter().find(|column| column.name() == name)?;
        Some(Self { column, is_descending })
    }

    /// Sorts; what is equal stays in the order of production.
    pub(super) fn apply(self, bundles: &mut [BundleView]) {
        match self.column {
            Column::Bundle => bundles.sort_by_key(|view| view.bundle.id),
            Column::Quantity => bundles.sort_by_key(|view| view.bundle.range.quantity()),
            Column::State => bundles.sort_by_key(|view| view.status.name()),
            Column::Device => bundles.sort_by(|one, other| name_of(one).cmp(name_of(other))),
        }
        if self.is_descending {
            bundles.reverse();
        }
    }

    /// Why the bundles are not sorted.
    pub(super) fn refusal(self) -> String {
        let (most, by) = (crate::format::count(SORTED_MAX, "bundle"), self.column.heading().to_lowercase());
        format!("More than {most} match: that is too many to sort by {by}. Choose a shorter period, or another filter.")
    }
}

fn name_of(view: &BundleView) -> &str {
    view.device_name()
}

/// The heading of a column, which sorts by it.
pub(super) struct Heading {
    pub text: &'static str,
    pub is_number: bool,
    /// The address that sorts by it, or the other way round.
    pub to: String,
    /// What it does.
    pub title: &'static str,
    /// If the rows are sorted by it, the direction.
    pub is_ascending: Option<bool>,
}

/// The headings from left to right.
pub(super) fn headings(filter: &Filter, is_sorted: bool) -> Vec<Heading> {
    let sort = filter.sort.filter(|_| is_sorted);
    let of = |column: Column| {
        let direction = sort.filter(|sort| sort.column == column).map(|sort| !sort.is_descending);
        // Numbers from the largest on, names from A, then the other way round.
        let is_number = matches!(column, Column::Bundle | Column::Quantity);
        let is_next_descending = direction.unwrap_or(is_number);
        let sign = if is_next_descending { "-" } else { "" };
        let title = match (is_number, is_next_descending) {
            (true, true) => "Largest first",
            (true, false) => "Smallest first",
            (false, true) => "Z to A",
            (false, false) => "A to Z",
        };
        let to = filter.address(&[("sort", &format!("{sign}{}", column.name())), ("order", "")]);
        Heading { text: column.heading(), is_number, to, title, is_ascending: direction }
    };
    let is_oldest_first = filter.order == Order::OldestFirst;
    let direction = sort.is_none().then_some(is_oldest_first);
    let is_next_oldest = direction == Some(false);
    let produced = Heading {
        text: "Produced (UTC)",
        is_number: false,
        to: filter.address(&[("sort", ""), ("order", if is_next_oldest { "oldest" } else { "" })]),
        title: if is_next_oldest { "Oldest first" } else { "Newest first" },
        is_ascending: direction,
    };
    vec![of(Column::Bundle), produced, of(Column::Quantity), of(Column::State), of(Column::Device)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Fields;

    #[test]
    fn a_column_stands_in_the_address_with_a_minus_from_the_largest_on() {
        assert_eq!(Sort::parse("-quantity"), Some(Sort { column: Column::Quantity, is_descending: true }));
        assert_eq!(Sort::parse("state"), Some(Sort { column: Column::State, is_descending: false }));
        assert_eq!((Sort::parse("energy"), Sort::parse("--state"), Sort::parse("")), (None, None, None));
    }

    #[test]
    fn a_heading_turns_what_is_sorted_by_it() {
        let shown = |query: &str, is_sorted| {
            let found = headings(&Filter::of(7, Fields::of(query.as_bytes())), is_sorted);
            let of = |heading: &Heading| {
                (heading.to.split_once('?').map_or(String::new(), |(_, q)| q.to_owned()), heading.is_ascending)
            };
            (of(&found[1]), of(&found[2]))
        };
        let quantity = |text: &str, direction| (format!("status=Active&sort={text}"), direction);
        let produced = |more: &str, direction| (format!("status=Active{more}"), direction);
        assert_eq!(shown("status=Active", true), (produced("&order=oldest", Some(false)), quantity("-quantity", None)));
        assert_eq!(shown("status=Active&order=oldest", true), (produced("", Some(true)), quantity("-quantity", None)));
        let sorted = "status=Active&sort=-quantity";
        assert_eq!(shown(sorted, true), (produced("", None), quantity("quantity", Some(false))));
        assert_eq!(shown(sorted, false), (produced("&order=oldest", Some(false)), quantity("-quantity", None)));
    }
}
