//! Places for what takes long and goes on at the same time: open event streams, uploads, exports.
//!
//! Invariant: nobody has more than their share, so that one user cannot keep all others out. A place is given back when it
//! is dropped, by whoever does the work, not by the client.

use crate::Error;
use domain::UserId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

/// What the places are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlacesFor {
    Streams,
    Uploads,
    Exports,
}

/// How many places each user has taken.
pub(crate) struct Places {
    what: PlacesFor,
    per_user_max: usize,
    /// Of all users together.
    max: usize,
    taken: Mutex<HashMap<UserId, usize>>,
}

impl Places {
    pub(crate) fn new(what: PlacesFor, per_user_max: usize, max: usize) -> Arc<Self> {
        Arc::new(Self { what, per_user_max, max, taken: Mutex::default() })
    }

    /// A place for one more, until it is dropped.
    ///
    /// # Errors
    /// [`Error::TooManyAtOnce`] if the user has as many as they may, [`app::Error::Busy`] if others have taken the rest.
    pub(crate) fn take(self: &Arc<Self>, user: UserId) -> Result<Place, Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&user).copied().unwrap_or_default();
        if own >= self.per_user_max {
            return Err(Error::TooManyAtOnce { what: self.what, max: self.per_user_max });
        }
        if taken.values().sum::<usize>() >= self.max {
            return Err(app::Error::Busy.into());
        }
        taken.insert(user, own + 1);
        Ok(Place { places: self.clone(), user })
    }

    /// How many are taken, by all users.
    pub(crate) fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

/// Held while the work goes on.
pub(crate) struct Place {
    places: Arc<Places>,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = taken.entry(self.user) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_share_and_all_together_have_no_more_than_there_is() {
        let places = Places::new(PlacesFor::Exports, 2, 3);
        let (one, other, third) = (UserId(1), UserId(2), UserId(3));
        let first = places.take(one).ok().unwrap();
        let _second = places.take(one).ok().unwrap();
        assert!(matches!(places.take(one), Err(Error::TooManyAtOnce { what: PlacesFor::Exports, max: 2 })));
        let _of_other = places.take(other).ok().unwrap();
        assert!(matches!(places.take(other), Err(Error::Use(app::Error::Busy))));
        drop(first);
        assert_eq!(places.count(), 2);
        assert!(places.take(third).is_ok());
        assert!(places.take(one).is_ok(), "what was given back");
    }
}
