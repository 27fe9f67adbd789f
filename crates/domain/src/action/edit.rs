//! What a change says of one value.

/// What becomes of a value that may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// The change does not speak of it.
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T: Clone> Edit<T> {
    /// The value afterwards.
    pub(super) fn of(&self, before: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => before.cloned(),
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// The value afterwards of one that is never absent.
pub(super) fn edited<T: Clone>(edit: Option<&T>, before: &T) -> T {
    edit.unwrap_or(before).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_cleared_or_set() {
        for (edit, before, after) in [
            (Edit::Keep, Some(1), Some(1)),
            (Edit::Keep, None, None),
            (Edit::Clear, Some(1), None),
            (Edit::Set(2), Some(1), Some(2)),
            (Edit::Set(2), None, Some(2)),
        ] {
            assert_eq!(edit.of(before.as_ref()), after, "{edit:?} of {before:?}");
        }
        assert_eq!((edited(None, &1), edited(Some(&2), &1)), (1, 2));
    }
}
