//! Accounts: where bundles are held. Who may send to one is its whitelist; an account accepts nobody by default.

use crate::{AccountId, OrganisationId};
use jiff::Timestamp;

/// The most accounts on one whitelist, and the most users of one account.
pub const MEMBERS_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Unique among accounts that are not deleted.
    pub name: String,
    pub organisation_id: Option<OrganisationId>,
    pub is_deleted: bool,
    pub created_at: Timestamp,
}
