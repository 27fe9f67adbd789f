//! Organisations: the companies and bodies behind users and accounts.

use crate::OrganisationId;
use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    pub id: OrganisationId,
    pub description: OrganisationDescription,
    pub is_deleted: bool,
    pub created_at: Timestamp,
}

/// What is stated of an organisation; texts of 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationDescription {
    /// Unique among organisations that are not deleted.
    pub name: String,
    /// The number under which it is registered.
    pub business_id: String,
    pub primary_contact: String,
    pub address: Option<String>,
    pub website: Option<String>,
}
