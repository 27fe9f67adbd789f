//! Devices.

use crate::code::{coded, count, kept, optional_coded};
use db::{Connection, Result, Row, Select, Value};
use domain::{AccountId, Device, DeviceDescription, DeviceId, DeviceKind, EnergySource, GrossNet, UserId};

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

/// Which devices to list. An absent filter filters nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of accounts that this user belongs to.
    pub member: Option<UserId>,
    pub account: Option<AccountId>,
    pub energy_source: Option<EnergySource>,
    pub kind: Option<DeviceKind>,
    pub is_approved: Option<bool>,
    pub with_deleted: bool,
}

/// Up to `limit` devices of `filter` behind an id, in the order of ids.
pub fn list(connection: &mut Connection, filter: &Filter, after: Option<i64>, limit: i64) -> Result<Vec<Device>> {
    let select = conditions(Select::new(concat!("SELECT ", columns!(), " FROM device d")), filter)
        .and("d.id > ?", after)
        .tail("ORDER BY d.id LIMIT ?", limit);
    connection.select(&select, device_of)
}

fn conditions<'v>(select: Select<'v>, filter: &Filter) -> Select<'v> {
    select
        .and("d.account_id = ?", filter.account.map(|id| id.0))
        .and(
            "d.account_id IN (SELECT m.account_id FROM account_user m JOIN account a ON a.id = m.account_id \
             WHERE m.user_id = ? AND NOT a.is_deleted)",
            filter.member.map(|user| user.0),
        )
        .and("d.energy_source = ?", filter.energy_source.map(EnergySource::code))
        .and("d.kind = ?", filter.kind.map(DeviceKind::code))
        .and("d.is_approved = ?", filter.is_approved)
        .and_if(!filter.with_deleted, "NOT d.is_deleted")
}

/// Up to `limit` devices of an account that are not deleted.
pub fn live_of_account(connection: &mut Connection, account: AccountId, limit: i64) -> Result<Vec<Device>> {
    let filter = Filter { account: Some(account), ..Filter::default() };
    list(connection, &filter, None, limit)
}

/// How many devices there are of a type of technology, and what they can deliver together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSum {
    pub technology_type: String,
    pub devices: u64,
    pub capacity_watts: u64,
}

/// The devices of `filter` summed up by type of technology, in the order of types.
pub fn sums_by_type(connection: &mut Connection, filter: &Filter) -> Result<Vec<TypeSum>> {
    const SUMS: &str = "SELECT d.technology_type, COUNT(*), CAST(SUM(d.capacity_watts) AS BIGINT) FROM device d";
    let select =
        conditions(Select::new(SUMS), filter).tail("GROUP BY d.technology_type ORDER BY d.technology_type", ());
    connection.select(&select, |r| {
        Ok(TypeSum { technology_type: r.get(0)?, devices: count(r, 1)?, capacity_watts: count(r, 2)? })
    })
}

/// Production devices that are not deleted, in the order of their ids.
pub fn production_ids(connection: &mut Connection) -> Result<Vec<DeviceId>> {
    connection.query(
        "SELECT id FROM device WHERE kind = $1 AND NOT is_deleted ORDER BY id",
        &[DeviceKind::Production.code().into()],
        |r| Ok(DeviceId(r.get(0)?)),
    )
}

/// Devices that are not deleted and have a meter, with its name, in the order of their ids.
pub fn metered(connection: &mut Connection) -> Result<Vec<(DeviceId, String)>> {
    connection.query(
        "SELECT d.id, d.meter_data_id FROM device d WHERE d.meter_data_id IS NOT NULL AND NOT d.is_deleted ORDER BY d.id",
        &[],
        |r| Ok((DeviceId(r.get(0)?), r.get(1)?)),
    )
}

/// Which of these accounts have storage, deleted or not: its records stay.
pub fn accounts_with_storage(connection: &mut Connection, accounts: &[i64]) -> Result<Vec<AccountId>> {
    connection.query(
        "SELECT DISTINCT d.account_id FROM device d WHERE d.account_id IN rarray($1) AND d.kind = $2",
        &[accounts.into(), DeviceKind::Storage.code().into()],
        |r| Ok(AccountId(r.get(0)?)),
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

/// Writes what is stated of a device, its version and whether it is approved.
pub fn describe(tx: &mut Connection, device: &Device) -> Result<()> {
    let mut values: Vec<Value<'_>> = vec![device.id.0.into()];
    values.extend(description_values(&device.description));
    values.extend::<[Value<'_>; 2]>([device.version.into(), device.is_approved.into()]);
    tx.execute(
        "UPDATE device SET name = $2, grid = $3, energy_source = $4, technology_type = $5, operational_date = $6, \
         capacity_watts = $7, peak_demand_watts = $8, location = $9, meter_data_id = $10, kind = $11, version = $12, \
         is_approved = $13 WHERE id = $1",
        &values,
    )?;
    Ok(())
}

pub fn delete(tx: &mut Connection, id: DeviceId) -> Result<()> {
    tx.execute("UPDATE device SET is_deleted = TRUE WHERE id = $1", &[id.0.into()])?;
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

/// Up to `limit` ids behind `after`, in their order, of devices deleted or not.
pub fn ids_after(connection: &mut Connection, after: i64, limit: i64) -> Result<Vec<i64>> {
    connection.query(
        "SELECT d.id FROM device d WHERE d.id > $1 ORDER BY d.id LIMIT $2",
        &[after.into(), limit.into()],
        |r| r.get(0),
    )
}
