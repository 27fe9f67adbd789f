//! Issuance metadata and the snapshots of devices that certificates carry.

use crate::code::coded;
use crate::device::{description_of, description_values};
use db::{Connection, Result, Row, Select};
use domain::{
    AttributesId, CertificateAttributes, DeviceId, EnergyCarrier, IssuanceMetadata, MetadataDescription, MetadataId,
};

fn metadata_of(row: &Row<'_>) -> Result<IssuanceMetadata> {
    Ok(IssuanceMetadata {
        id: MetadataId(row.get(0)?),
        description: MetadataDescription {
            country_of_issuance: row.get(1)?,
            connected_grid_identification: row.get(2)?,
            issuing_body: row.get(3)?,
            issue_market_zone: row.get(4)?,
            legal_status: row.get(5)?,
            issuance_purpose: row.get(6)?,
            support_received: row.get(7)?,
            quality_scheme_reference: row.get(8)?,
            dissemination_level: row.get(9)?,
        },
        created_at: row.get(10)?,
    })
}

macro_rules! columns {
    () => {
        "m.id, m.country_of_issuance, m.connected_grid_identification, m.issuing_body, m.issue_market_zone, \
         m.legal_status, m.issuance_purpose, m.support_received, m.quality_scheme_reference, m.dissemination_level, \
         m.created_at"
    };
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<IssuanceMetadata>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM issuance_metadata m WHERE m.id IN rarray($1)"),
        &[ids.into()],
        metadata_of,
    )
}

/// Up to `limit` behind an id, in the order of ids.
pub fn list(connection: &mut Connection, after: Option<i64>, limit: i64) -> Result<Vec<IssuanceMetadata>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM issuance_metadata m"))
        .and("m.id > ?", after)
        .tail("ORDER BY m.id LIMIT ?", limit);
    connection.select(&select, metadata_of)
}

pub fn by_id(connection: &mut Connection, id: MetadataId) -> Result<Option<IssuanceMetadata>> {
    Ok(by_ids(connection, &[id.0])?.into_iter().next())
}

pub fn insert(tx: &mut Connection, metadata: &IssuanceMetadata) -> Result<()> {
    let description = &metadata.description;
    tx.execute(
        "INSERT INTO issuance_metadata (id, country_of_issuance, connected_grid_identification, issuing_body, \
         issue_market_zone, legal_status, issuance_purpose, support_received, quality_scheme_reference, \
         dissemination_level, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            metadata.id.0.into(),
            description.country_of_issuance.as_str().into(),
            description.connected_grid_identification.as_str().into(),
            description.issuing_body.as_str().into(),
            description.issue_market_zone.as_str().into(),
            description.legal_status.as_deref().into(),
            description.issuance_purpose.as_deref().into(),
            description.support_received.as_deref().into(),
            description.quality_scheme_reference.as_deref().into(),
            description.dissemination_level.as_deref().into(),
            metadata.created_at.into(),
        ],
    )?;
    Ok(())
}

fn attributes_of(row: &Row<'_>) -> Result<CertificateAttributes> {
    Ok(CertificateAttributes {
        id: AttributesId(row.get(0)?),
        device_id: DeviceId(row.get(1)?),
        device_version: row.get(2)?,
        metadata_id: MetadataId(row.get(3)?),
        energy_carrier: coded(row, 4, EnergyCarrier::from_code)?,
        device: description_of(row, 5)?,
        hash: row.get(15)?,
    })
}

pub fn attributes_by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<CertificateAttributes>> {
    connection.query(
        "SELECT a.id, a.device_id, a.device_version, a.metadata_id, a.energy_carrier, a.name, a.grid, a.energy_source, \
         a.technology_type, a.operational_date, a.capacity_watts, a.peak_demand_watts, a.location, a.meter_data_id, \
         a.kind, a.hash FROM certificate_attributes a WHERE a.id IN rarray($1)",
        &[ids.into()],
        attributes_of,
    )
}

/// The newest snapshot of each of these devices that has one.
pub fn newest_attributes(connection: &mut Connection, devices: &[i64]) -> Result<Vec<AttributesId>> {
    connection.query(
        "SELECT MAX(a.id) FROM certificate_attributes a WHERE a.device_id IN rarray($1) GROUP BY a.device_id",
        &[devices.into()],
        |row| Ok(AttributesId(row.get(0)?)),
    )
}

/// A snapshot's key and what a new bundle needs of it.
pub type KnownAttributes = ((DeviceId, i64, MetadataId), (AttributesId, [u8; 32]));

/// The snapshots of these devices under these metadata, of all versions.
pub fn known_attributes(
    connection: &mut Connection,
    devices: &[i64],
    metadata: &[i64],
) -> Result<Vec<KnownAttributes>> {
    connection.query(
        "SELECT a.device_id, a.device_version, a.metadata_id, a.id, a.hash FROM certificate_attributes a \
         WHERE a.device_id IN rarray($1) AND a.metadata_id IN rarray($2)",
        &[devices.into(), metadata.into()],
        |r| {
            let key = (DeviceId(r.get(0)?), r.get(1)?, MetadataId(r.get(2)?));
            Ok((key, (AttributesId(r.get(3)?), r.get(4)?)))
        },
    )
}

pub fn insert_attributes(tx: &mut Connection, attributes: &CertificateAttributes) -> Result<()> {
    let mut values = vec![
        attributes.id.0.into(),
        attributes.device_id.0.into(),
        attributes.device_version.into(),
        attributes.metadata_id.0.into(),
        attributes.energy_carrier.code().into(),
    ];
    values.extend(description_values(&attributes.device));
    values.push((&attributes.hash).into());
    tx.execute(
        "INSERT INTO certificate_attributes (id, device_id, device_version, metadata_id, energy_carrier, name, grid, \
         energy_source, technology_type, operational_date, capacity_watts, peak_demand_watts, location, meter_data_id, \
         kind, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &values,
    )?;
    Ok(())
}
