//! Devices.

use crate::code::{coded, count, kept, optional_coded};
use db::{Connection, Result, Row, Value};
use domain::{AccountId, Device, DeviceDescription, DeviceId, DeviceKind, EnergySource, GrossNet};

macro_rules! columns {
    () => {
        "d.id, d.account_id, d.name, d.grid, d.energy_source, d.technology_type, d.operational_date, d.capacity_watts, \
         d.peak_demand_watts, d.location, d.meter_data_id, d.kind, d.version, d.is_approved, d.is_deleted, d.created_at, \
         d.gross_net, d.next_certificate"
    };
}

fn device_of(row: &Row<'_>) -> Result<Device> {
    Ok(Device {
        id: DeviceId(row.get(0)?),
        account_id: AccountId(row.get(1)?),
        description: description_of(row, 2)?,
        version: row.get(12)?,
        is_approved: row.get(13)?,
        is_deleted: row.get(14)?,
        created_at: row.get(15)?,
        gross_net: optional_coded(row, 16, GrossNet::from_code)?,
        next_certificate: count(row, 17)?,
    })
}

/// The ten columns from `name` to `kind`, which the snapshots of certificates have too.
pub(crate) fn description_of(row: &Row<'_>, first: usize) -> Result<DeviceDescription> {
    Ok(DeviceDescription {
        name: row.get(first)?,
        grid: row.get(first + 1)?,
        energy_source: coded(row, first + 2, EnergySource::from_code)?,
        technology_type: row.get(first + 3)?,
        operational_date: row.get(first + 4)?,
        capacity_watts: count(row, first + 5)?,
        peak_demand_watts: count(row, first + 6)?,
        location: row.get(first + 7)?,
        meter_data_id: row.get(first + 8)?,
        kind: coded(row, first + 9, DeviceKind::from_code)?,
    })
}

pub(crate) fn description_values(description: &DeviceDescription) -> [Value<'_>; 10] {
    [
        description.name.as_str().into(),
        description.grid.as_str().into(),
        description.energy_source.code().into(),
        description.technology_type.as_str().into(),
        description.operational_date.into(),
        kept(description.capacity_watts).into(),
        kept(description.peak_demand_watts).into(),
        description.location.as_str().into(),
        description.meter_data_id.as_deref().into(),
        description.kind.code().into(),
    ]
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Device>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM device d WHERE d.id IN rarray($1)"),
        &[ids.into()],
        device_of,
    )
}

pub fn by_id(connection: &mut Connection, id: DeviceId) -> Result<Option<Device>> {
    Ok(by_ids(connection, &[id.0])?.into_iter().next())
}

/// Which of these devices belong to one of the accounts.
pub fn of_accounts(connection: &mut Connection, ids: &[i64], accounts: &[i64]) -> Result<Vec<DeviceId>> {
    connection.query(
        "SELECT d.id FROM device d WHERE d.id IN rarray($1) AND d.account_id IN rarray($2)",
        &[ids.into(), accounts.into()],
        |r| Ok(DeviceId(r.get(0)?)),
    )
}

/// Production devices that are not deleted, in the order of their ids.
pub fn production_ids(connection: &mut Connection) -> Result<Vec<DeviceId>> {
    connection.query(
        "SELECT id FROM device WHERE kind = $1 AND NOT is_deleted ORDER BY id",
        &[DeviceKind::Production.code().into()],
        |r| Ok(DeviceId(r.get(0)?)),
    )
}

/// Which of these meters are a device's, deleted or not.
pub fn taken_meters(connection: &mut Connection, meters: &[String]) -> Result<Vec<String>> {
    connection.query(
        "SELECT d.meter_data_id FROM device d WHERE d.meter_data_id IN rarray_text($1)",
        &[Value::Texts(meters)],
        |r| r.get(0),
    )
}

pub fn insert(tx: &mut Connection, device: &Device) -> Result<()> {
    let mut values: Vec<Value<'_>> = vec![device.id.0.into(), device.account_id.0.into()];
    values.extend(description_values(&device.description));
    values.extend::<[Value<'_>; 6]>([
        device.version.into(),
        device.is_approved.into(),
        device.is_deleted.into(),
        device.created_at.into(),
        device.gross_net.map(GrossNet::code).into(),
        kept(device.next_certificate).into(),
    ]);
    tx.execute(
        "INSERT INTO device (id, account_id, name, grid, energy_source, technology_type, operational_date, \
         capacity_watts, peak_demand_watts, location, meter_data_id, kind, version, is_approved, is_deleted, created_at, \
         gross_net, next_certificate) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        &values,
    )?;
    Ok(())
}

/// Writes what a batch may change of a device. Each device once.
pub fn update(tx: &mut Connection, devices: &[&Device]) -> Result<()> {
    tx.update(
        "UPDATE device SET is_approved = v.column2, gross_net = v.column3, next_certificate = v.column4 \
         FROM ROWS AS v WHERE device.id = v.column1",
        ["BIGINT", "BOOLEAN", "SMALLINT", "BIGINT"],
        devices,
        |d| {
            [
                d.id.0.into(),
                d.is_approved.into(),
                d.gross_net.map(GrossNet::code).into(),
                kept(d.next_certificate).into(),
            ]
        },
    )?;
    Ok(())
}
