//! The tables as the model says they must be, and as they are.

use super::{Model, RunRow};
use db::Connection;
use domain::BundleId;
use jiff::Timestamp;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRow {
    pub id: i64,
    pub account: i64,
    pub device: i64,
    pub first: i64,
    pub last: i64,
    pub production: (Timestamp, Timestamp),
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub parent: Option<i64>,
    pub draw: Option<i64>,
    pub status: i64,
    pub beneficiary: (Option<String>, Option<i64>, Option<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRow {
    pub id: i64,
    pub device: i64,
    pub interval: (Timestamp, Timestamp),
    pub energy: i64,
    pub bundle: Option<i64>,
    pub backed: Option<i64>,
    pub is_withdrawn: bool,
    /// By standing discharges: of certificates, and of none.
    pub drawn: (i64, i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DischargeRow {
    pub id: i64,
    pub device: i64,
    pub interval: (Timestamp, Timestamp),
    pub energy: i64,
    pub method: i64,
    pub is_withdrawn: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingRow {
    pub id: i64,
    pub device: i64,
    pub interval: (Timestamp, Timestamp),
    pub energy_wh: i64,
    pub gross_net: i64,
    pub quality: i64,
    pub superseded_by: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    pub id: i64,
    pub name: String,
    pub location: String,
    pub energy_source: i64,
    pub capacity_watts: i64,
    pub meter_data_id: Option<String>,
    pub kind: i64,
    pub version: i64,
    pub is_deleted: bool,
    pub is_approved: bool,
    pub gross_net: Option<i64>,
    pub next_certificate: i64,
}

/// What an account holds of a device, in one state, of one week of production.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingRow {
    /// Account, device, state, and how many times 7 days the week lies after 1970.
    pub key: (i64, i64, i64, i64),
    pub bundles: i64,
    pub energy_wh: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub id: i64,
    pub name: String,
    pub primary_contact: String,
    pub roles: i64,
    pub is_deleted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    pub id: i64,
    pub source: i64,
    pub ordered_by: i64,
    pub state: i64,
    pub next_due_at: Option<Timestamp>,
    pub runs_done: i64,
}

/// What the tables hold of the ledger, in the order of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub bundles: Vec<BundleRow>,
    pub readings: Vec<ReadingRow>,
    pub devices: Vec<DeviceRow>,
    pub whitelist: Vec<(i64, i64)>,
    pub users: Vec<UserRow>,
    /// Id, name if it is not deleted.
    pub accounts: Vec<(i64, Option<String>)>,
    /// (user, account)
    pub memberships: Vec<(i64, i64)>,
    pub orders: Vec<OrderRow>,
    /// By order and due time.
    pub runs: Vec<RunRow>,
    pub charges: Vec<ChargeRow>,
    pub discharges: Vec<DischargeRow>,
    /// Id, discharge, charge; Wh of certificates and of none; certificates that come out.
    pub draws: Vec<[i64; 6]>,
    pub holdings: Vec<HoldingRow>,
}

impl Tables {
    pub fn read(connection: &mut Connection) -> Self {
        connection.snapshot(Self::read_rows).expect("the tables can be read")
    }

    fn read_rows(connection: &mut Connection) -> db::Result<Self> {
        let bundles = Self::read_bundles(connection)?;
        let readings = connection.query(
            "SELECT id, device_id, start_at, end_at, energy_wh, gross_net, quality, superseded_by FROM measurement \
             ORDER BY id",
            &[],
            |row| {
                Ok(ReadingRow {
                    id: row.get(0)?,
                    device: row.get(1)?,
                    interval: (row.get(2)?, row.get(3)?),
                    energy_wh: row.get(4)?,
                    gross_net: row.get(5)?,
                    quality: row.get(6)?,
                    superseded_by: row.get(7)?,
                })
            },
        )?;
        let devices = connection.query(
            "SELECT id, name, location, energy_source, capacity_watts, meter_data_id, kind, version, is_deleted, \
             is_approved, gross_net, next_certificate FROM device ORDER BY id",
            &[],
            |row| {
                Ok(DeviceRow {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    location: row.get(2)?,
                    energy_source: row.get(3)?,
                    capacity_watts: row.get(4)?,
                    meter_data_id: row.get(5)?,
                    kind: row.get(6)?,
                    version: row.get(7)?,
                    is_deleted: row.get(8)?,
                    is_approved: row.get(9)?,
                    gross_net: row.get(10)?,
                    next_certificate: row.get(11)?,
                })
            },
        )?;
        let whitelist = connection.query(
            "SELECT account_id, source_account_id FROM account_whitelist ORDER BY account_id, source_account_id",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let users = connection.query(
            "SELECT id, name, primary_contact, roles, is_deleted FROM registry_user ORDER BY id",
            &[],
            |row| {
                Ok(UserRow {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    primary_contact: row.get(2)?,
                    roles: row.get(3)?,
                    is_deleted: row.get(4)?,
                })
            },
        )?;
        let accounts = connection.query("SELECT id, name, is_deleted FROM account ORDER BY id", &[], |row| {
            let (name, is_deleted): (String, bool) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, (!is_deleted).then_some(name)))
        })?;
        let memberships = connection.query(
            "SELECT user_id, account_id FROM account_user ORDER BY user_id, account_id",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let holdings = Self::read_holdings(connection)?;
        let (orders, runs) = (Self::read_orders(connection)?, Self::read_runs(connection)?);
        let storage = read_storage(connection)?;
        Ok(Self {
            bundles,
            readings,
            devices,
            whitelist,
            users,
            accounts,
            memberships,
            orders,
            runs,
            holdings,
            ..storage
        })
    }

    fn read_bundles(connection: &mut Connection) -> db::Result<Vec<BundleRow>> {
        connection.query(
            "SELECT id, account_id, device_id, range_first, range_last, production_start, production_end, issued_at, \
             expires_at, parent_id, status, beneficiary, beneficiary_account_id, purpose, draw_id FROM bundle ORDER BY id",
            &[],
            |row| {
                Ok(BundleRow {
                    id: row.get(0)?,
                    account: row.get(1)?,
                    device: row.get(2)?,
                    first: row.get(3)?,
                    last: row.get(4)?,
                    production: (row.get(5)?, row.get(6)?),
                    issued_at: row.get(7)?,
                    expires_at: row.get(8)?,
                    parent: row.get(9)?,
                    draw: row.get(14)?,
                    status: row.get(10)?,
                    beneficiary: (row.get(11)?, row.get(12)?, row.get(13)?),
                })
            },
        )
    }

    fn read_holdings(connection: &mut Connection) -> db::Result<Vec<HoldingRow>> {
        connection.query(
            "SELECT h.account_id, h.device_id, h.status, h.week, CAST(SUM(h.bundles) AS BIGINT), \
             CAST(SUM(h.energy_wh) AS BIGINT) FROM holding h WHERE h.bundles > 0 \
             GROUP BY h.account_id, h.device_id, h.status, h.week \
             ORDER BY h.account_id, h.device_id, h.status, h.week",
            &[],
            |row| {
                let key = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(HoldingRow { key, bundles: row.get(4)?, energy_wh: row.get(5)? })
            },
        )
    }

    fn read_orders(connection: &mut Connection) -> db::Result<Vec<OrderRow>> {
        connection.query(
            "SELECT id, source_id, ordered_by, state, next_due_at, runs_done FROM recurring_order ORDER BY id",
            &[],
            |row| {
                Ok(OrderRow {
                    id: row.get(0)?,
                    source: row.get(1)?,
                    ordered_by: row.get(2)?,
                    state: row.get(3)?,
                    next_due_at: row.get(4)?,
                    runs_done: row.get(5)?,
                })
            },
        )
    }

    fn read_runs(connection: &mut Connection) -> db::Result<Vec<RunRow>> {
        connection.query(
            "SELECT order_id, due_at, energy_wh, refusal FROM order_run ORDER BY order_id, due_at",
            &[],
            |row| {
                let refusal: Option<String> = row.get(3)?;
                let reason = |json: String| {
                    let json: serde_json::Value = serde_json::from_str(&json).expect("a refusal is JSON");
                    json["reason"].as_str().expect("a refusal has a reason").to_owned()
                };
                let refusal = refusal.map(reason);
                Ok(RunRow { order: row.get(0)?, due_at: row.get(1)?, energy: row.get(2)?, refusal })
            },
        )
    }

    /// # Panics
    /// On the first row that differs from `expected`.
    pub fn assert_are(&self, expected: &Self) {
        assert_rows(&self.bundles, &expected.bundles, "bundle");
        assert_rows(&self.readings, &expected.readings, "measurement");
        assert_rows(&self.devices, &expected.devices, "device");
        assert_rows(&self.whitelist, &expected.whitelist, "account_whitelist");
        assert_rows(&self.users, &expected.users, "registry_user");
        assert_rows(&self.accounts, &expected.accounts, "account");
        assert_rows(&self.memberships, &expected.memberships, "account_user");
        assert_rows(&self.orders, &expected.orders, "recurring_order");
        assert_rows(&self.runs, &expected.runs, "order_run");
        assert_rows(&self.charges, &expected.charges, "scr");
        assert_rows(&self.discharges, &expected.discharges, "sdr");
        assert_rows(&self.draws, &expected.draws, "storage_draw");
        assert_rows(&self.holdings, &expected.holdings, "holding");
    }
}

/// The rows of storage, and no others.
fn read_storage(connection: &mut Connection) -> db::Result<Tables> {
    let charges = connection.query(
        "SELECT id, device_id, start_at, end_at, energy_wh, bundle_id, backed_wh, is_withdrawn, drawn_backed_wh, \
         drawn_unbacked_wh FROM scr ORDER BY id",
        &[],
        |row| {
            Ok(ChargeRow {
                id: row.get(0)?,
                device: row.get(1)?,
                interval: (row.get(2)?, row.get(3)?),
                energy: row.get(4)?,
                bundle: row.get(5)?,
                backed: row.get(6)?,
                is_withdrawn: row.get(7)?,
                drawn: (row.get(8)?, row.get(9)?),
            })
        },
    )?;
    let discharges = connection.query(
        "SELECT id, device_id, start_at, end_at, energy_wh, method, is_withdrawn FROM sdr ORDER BY id",
        &[],
        |row| {
            Ok(DischargeRow {
                id: row.get(0)?,
                device: row.get(1)?,
                interval: (row.get(2)?, row.get(3)?),
                energy: row.get(4)?,
                method: row.get(5)?,
                is_withdrawn: row.get(6)?,
            })
        },
    )?;
    let draws = connection.query(
        "SELECT id, sdr_id, scr_id, backed_wh, unbacked_wh, certificates FROM storage_draw ORDER BY id",
        &[],
        |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]),
    )?;
    Ok(Tables { charges, discharges, draws, ..Tables::default() })
}

fn assert_rows<T: PartialEq + std::fmt::Debug>(found: &[T], expected: &[T], table: &str) {
    for place in 0..found.len().max(expected.len()) {
        assert_eq!(found.get(place), expected.get(place), "row {place} of {table}: found, expected");
    }
}

impl Model {
    /// What the tables must hold.
    pub fn tables(&self) -> Tables {
        let mut whitelist: Vec<_> = self.whitelist.iter().map(|(receiver, sender)| (receiver.0, sender.0)).collect();
        whitelist.sort_unstable();
        let mut accounts: Vec<_> = self.accounts.iter().map(|(id, name)| (id.0, Some(name.clone()))).collect();
        accounts.extend(self.gone_accounts.iter().map(|id| (id.0, None)));
        accounts.sort_unstable();
        let people = || self.users.iter().chain(&self.gone_users);
        let of = |(user, person): (&domain::UserId, &super::Person)| {
            let user = user.0;
            person.accounts.iter().map(move |account| (user, account.0)).collect::<Vec<_>>()
        };
        let mut memberships: Vec<_> = people().flat_map(of).collect();
        memberships.sort_unstable();
        let bundles = self.bundle_rows();
        Tables {
            holdings: holding_rows(&bundles),
            bundles,
            readings: self.reading_rows(),
            devices: self.device_rows(),
            whitelist,
            users: self.user_rows(),
            accounts,
            memberships,
            orders: self.order_rows(),
            runs: self.run_rows(),
            charges: self.charge_rows(),
            discharges: self.discharge_rows(),
            draws: self.draw_rows(),
        }
    }

    fn order_rows(&self) -> Vec<OrderRow> {
        let row = |(id, order): (i64, &super::orders::ModelOrder)| OrderRow {
            id,
            source: order.terms.source.0,
            ordered_by: order.by.code(),
            state: order.state.code(),
            next_due_at: order.next,
            runs_done: order.behind.into(),
        };
        (1..).zip(&self.orders).map(row).collect()
    }

    fn run_rows(&self) -> Vec<RunRow> {
        let mut runs = self.runs.clone();
        runs.sort_by_key(|run| (run.order, run.due_at));
        runs
    }

    fn charge_rows(&self) -> Vec<ChargeRow> {
        let row = |(id, charge): (i64, &super::storage::Charge)| {
            let units = |wanted: &dyn Fn(&super::storage::Unit) -> bool| {
                i64::try_from(charge.units.iter().filter(|unit| wanted(unit)).count()).expect("few watt-hours")
            };
            ChargeRow {
                id,
                device: charge.device.0,
                interval: (charge.interval.start(), charge.interval.end()),
                energy: units(&|_| true),
                bundle: charge.bundle.map(|id| id.0),
                backed: charge.bundle.map(|_| units(&|unit| unit.is_backed)),
                is_withdrawn: charge.is_withdrawn,
                drawn: (
                    units(&|unit| unit.is_backed && unit.drawn_by.is_some()),
                    units(&|unit| !unit.is_backed && unit.drawn_by.is_some()),
                ),
            }
        };
        (1..).zip(&self.storage.charges).map(row).collect()
    }

    fn discharge_rows(&self) -> Vec<DischargeRow> {
        let row = |(id, discharge): (i64, &super::storage::Discharge)| DischargeRow {
            id,
            device: discharge.device.0,
            interval: (discharge.interval.start(), discharge.interval.end()),
            energy: kept(discharge.energy),
            method: discharge.method.code(),
            is_withdrawn: discharge.is_withdrawn,
        };
        (1..).zip(&self.storage.discharges).map(row).collect()
    }

    fn draw_rows(&self) -> Vec<[i64; 6]> {
        let row = |(id, draw): (i64, &super::storage::ModelDraw)| {
            [id, draw.sdr, draw.scr, kept(draw.backed), kept(draw.unbacked), kept(draw.certificates)]
        };
        (1..).zip(&self.storage.draws).map(row).collect()
    }

    fn user_rows(&self) -> Vec<UserRow> {
        let row = |is_deleted: bool| {
            move |(id, person): (&domain::UserId, &super::Person)| UserRow {
                id: id.0,
                name: person.name.clone(),
                primary_contact: person.contact.clone(),
                roles: domain::Roles::of(&person.roles).code(),
                is_deleted,
            }
        };
        let mut rows: Vec<_> = self.users.iter().map(row(false)).collect();
        rows.extend(self.gone_users.iter().map(row(true)));
        rows.sort_by_key(|row| row.id);
        rows
    }

    fn bundle_rows(&self) -> Vec<BundleRow> {
        (1..self.next_bundle().0)
            .map(|id| {
                let birth = self.birth(BundleId(id));
                let held = self.held(BundleId(id)).expect("a bundle has certificates");
                let of = held.certificate.beneficiary;
                BundleRow {
                    id,
                    account: held.certificate.holder.0,
                    device: birth.device.0,
                    first: kept(held.first),
                    last: kept(held.last),
                    production: (birth.production.start(), birth.production.end()),
                    issued_at: birth.issued_at,
                    expires_at: birth.expires_at,
                    parent: birth.parent.map(|id| id.0),
                    draw: birth.draw,
                    status: held.certificate.state.code(),
                    beneficiary: of.map_or((None, None, None), |b| (Some(b.name), b.account.map(|id| id.0), b.purpose)),
                }
            })
            .collect()
    }

    fn reading_rows(&self) -> Vec<ReadingRow> {
        (1..)
            .zip(&self.versions)
            .map(|(id, version)| ReadingRow {
                id,
                device: version.reading.device_id.0,
                interval: (version.reading.interval.start(), version.reading.interval.end()),
                energy_wh: version.reading.energy_wh,
                gross_net: version.reading.gross_net.code(),
                quality: version.reading.quality.code(),
                superseded_by: version.superseded_by,
            })
            .collect()
    }

    fn device_rows(&self) -> Vec<DeviceRow> {
        let row = |(id, device): (&domain::DeviceId, &super::ModelDevice)| DeviceRow {
            id: id.0,
            name: device.description.name.clone(),
            location: device.description.location.clone(),
            energy_source: device.description.energy_source.code(),
            capacity_watts: kept(device.description.capacity_watts),
            meter_data_id: device.description.meter_data_id.clone(),
            kind: device.description.kind.code(),
            version: device.version,
            is_deleted: device.is_deleted,
            is_approved: device.is_approved,
            gross_net: device.gross_net.map(domain::GrossNet::code),
            next_certificate: i64::try_from(device.certificates.len()).expect("few certificates") + 1,
        };
        self.devices.iter().map(row).collect()
    }
}

/// All bundles but split parents, added up.
fn holding_rows(bundles: &[BundleRow]) -> Vec<HoldingRow> {
    let mut sums = BTreeMap::new();
    for bundle in bundles.iter().filter(|bundle| bundle.status != domain::BundleStatus::Split.code()) {
        let week = bundle.production.0.as_second().div_euclid(7 * 24 * 3_600);
        let (count, energy) = sums.entry((bundle.account, bundle.device, bundle.status, week)).or_insert((0, 0));
        *count += 1;
        *energy += bundle.last - bundle.first + 1;
    }
    sums.into_iter().map(|(key, (bundles, energy_wh))| HoldingRow { key, bundles, energy_wh }).collect()
}

fn kept(number: u64) -> i64 {
    i64::try_from(number).expect("few certificates")
}
