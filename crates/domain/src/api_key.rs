//! API keys: what a program may do on behalf of the user who made the key.
//!
//! A key never adds to what its owner may do: its scopes say which operations it may call at all, and the owner's roles
//! decide the rest, as they are at that moment. Which operation needs which scope is not known here.

use crate::UserId;
use crate::device::vocabulary;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

vocabulary! {
    /// A group of operations that a key may be good for.
    Scope {
        Read = 1 "read", Trade = 2 "trade", Register = 3 "register", Measure = 4 "measure", Issue = 5 "issue",
        Admin = 6 "admin", Metrics = 7 "metrics",
    }
}

/// A set of scopes. Its code is kept in the databases: a scope's bit never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | Self::bit(*scope)))
    }

    const fn bit(scope: Scope) -> u16 {
        1 << (scope.code() - 1)
    }

    pub fn code(self) -> i64 {
        i64::from(self.0)
    }

    /// `None` for a code with a bit that no scope has.
    pub fn from_code(code: i64) -> Option<Self> {
        let bits = u16::try_from(code).ok()?;
        (bits & !Self::of(Scope::ALL).0 == 0).then_some(Self(bits))
    }

    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

/// A key as its owner sees it; the key itself is shown once and not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: crate::ApiKeyId,
    pub user_id: UserId,
    pub name: String,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Deleted by hand, or revoked because the owner's password, roles or status changed.
    pub is_deleted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_and_their_codes_go_both_ways() {
        for (place, scope) in Scope::ALL.iter().copied().enumerate() {
            assert_eq!(Scopes::of(&[scope]).code(), 1 << place, "{scope}");
            assert_eq!(Scope::parse(scope.name()), Some(scope));
            assert!(Scopes::of(&[scope]).contains(scope));
        }
        let some = Scopes::of(&[Scope::Trade, Scope::Read]);
        assert_eq!(Scopes::from_code(some.code()), Some(some));
        assert_eq!(some.iter().collect::<Vec<_>>(), [Scope::Read, Scope::Trade]);
        assert!(!some.contains(Scope::Admin));
        assert_eq!((Scopes::from_code(128), Scopes::from_code(-1)), (None, None));
    }
}
