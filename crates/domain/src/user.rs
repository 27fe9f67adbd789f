//! Users: who signs in. Their secrets are kept elsewhere and never reach a rule or the log.

use crate::{Roles, UserId};
use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub name: String,
    /// The sign-in name, an address; unique among users that are not deleted.
    pub primary_contact: String,
    pub roles: Roles,
    pub organisation: Option<String>,
    pub is_deleted: bool,
    pub created_at: Timestamp,
}
