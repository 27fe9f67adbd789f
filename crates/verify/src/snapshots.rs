//! The snapshots of devices that certificates carry: their hashes, and that they say what the device says.
//!
//! Invariant: what comes back is one small entry for each snapshot; there are as many as devices and versions of them.

use crate::report::{Audit, FindingKind, Noun, hex};
use crate::rows::{number, optional_number};
use crate::seal::{Description, Hash, Preimage, attributes_hash};
use db::{Connection, Result, Row};
use std::collections::HashMap;

/// What checks of bundles need of a snapshot.
pub(crate) struct Snapshot {
    pub(crate) device: i64,
    pub(crate) capacity_watts: i64,
    pub(crate) hash: Hash,
}

pub(crate) type Snapshots = HashMap<i64, Snapshot>;

const SELECT: &str = "SELECT a.id, a.device_id, a.device_version, a.metadata_id, a.energy_carrier, a.hash, a.name, \
     a.grid, a.energy_source, a.technology_type, a.operational_date, a.capacity_watts, a.peak_demand_watts, a.location, \
     a.meter_data_id, a.kind, d.version, d.name, d.grid, d.energy_source, d.technology_type, d.operational_date, \
     d.capacity_watts, d.peak_demand_watts, d.location, d.meter_data_id, d.kind \
     FROM certificate_attributes a LEFT JOIN device d ON d.id = a.device_id ORDER BY a.id";

pub(crate) fn check(connection: &mut Connection, audit: &mut Audit<'_>) -> Result<Snapshots> {
    let (mut snapshots, mut buffer) = (Snapshots::new(), Preimage::default());
    connection.query_each(SELECT, &[], |row| -> Result<()> {
        let (id, device, version) = (number(row, 0)?, number(row, 1)?, number(row, 2)?);
        let (hash, description): (Hash, _) = (row.get(5)?, description_of(row, 6)?);
        let expected = attributes_hash(&mut buffer, [device, version, number(row, 3)?, number(row, 4)?], &description);
        if hash != expected {
            audit.find(FindingKind::HashDiffers, Noun::Attributes, id, None, || {
                format!("the hash of attributes {id} is {}; their row gives {}", hex(&hash), hex(&expected))
            });
        }
        let current = optional_number(row, 16)?;
        if current.is_none() {
            let text = || format!("attributes {id} are of device {device}, which does not exist");
            audit.find(FindingKind::AttributesChanged, Noun::Attributes, id, None, text);
        } else if current == Some(version) {
            compare(audit, id, device, &description, &description_of(row, 17)?);
        }
        audit.checked(6, 1);
        snapshots.insert(id, Snapshot { device, capacity_watts: description.capacity_watts, hash });
        Ok(())
    })?;
    audit.counts().attributes = u64::try_from(snapshots.len()).unwrap_or(u64::MAX);
    Ok(snapshots)
}

fn compare(audit: &mut Audit<'_>, id: i64, device: i64, snapshot: &Description, now: &Description) {
    if snapshot == now {
        return;
    }
    audit.find(FindingKind::AttributesChanged, Noun::Attributes, id, None, || {
        let (was, is) = (snapshot.capacity_watts, now.capacity_watts);
        let what = if was == is { String::new() } else { format!(": {was} W and {is} W") };
        format!("attributes {id} differ from device {device} of the same version{what}")
    });
}

fn description_of(row: &Row<'_>, first: usize) -> Result<Description> {
    Ok(Description {
        name: row.get(first)?,
        grid: row.get(first + 1)?,
        energy_source: number(row, first + 2)?,
        technology_type: row.get(first + 3)?,
        operational_date: number(row, first + 4)?,
        capacity_watts: number(row, first + 5)?,
        peak_demand_watts: number(row, first + 6)?,
        location: row.get(first + 7)?,
        meter_data_id: row.get(first + 8)?,
        kind: number(row, first + 9)?,
    })
}
