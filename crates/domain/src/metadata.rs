//! Issuance metadata, and the snapshot of a device that a certificate carries for ever.

use crate::{AttributesId, DeviceDescription, DeviceId, EnergyCarrier, MetadataId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the issuing body states of the certificates that it issues. Never changed once created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuanceMetadata {
    pub id: MetadataId,
    pub description: MetadataDescription,
    pub created_at: Timestamp,
}

/// The attributes of EnergyTag's list that do not come from the device; texts of 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataDescription {
    pub country_of_issuance: String,
    pub connected_grid_identification: String,
    pub issuing_body: String,
    pub issue_market_zone: String,
    pub legal_status: Option<String>,
    pub issuance_purpose: Option<String>,
    pub support_received: Option<String>,
    pub quality_scheme_reference: Option<String>,
    pub dissemination_level: Option<String>,
}

/// What certificates say of their device and issuing body *as they were at issue*: one row for all bundles of a device
/// until the device changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateAttributes {
    pub id: AttributesId,
    pub device_id: DeviceId,
    pub device_version: i64,
    pub metadata_id: MetadataId,
    pub energy_carrier: EnergyCarrier,
    pub device: DeviceDescription,
    pub hash: [u8; 32],
}
