//! Tables and properties of all rules, and the state that they start from: a few users, accounts and one wind farm.

mod account;
mod bundles;
mod create_bundle;
mod device;
mod expire;
mod issue;
mod measurement;
mod order_run;
mod organisation;
mod portions;
mod properties;
mod readings;
mod recurring_order;
mod register;
mod seed;
mod sequences;
mod storage;
mod sum;
mod user;

use super::*;
use crate::bundle::Mutable;
use crate::state::{CurrentReading, IssuePlace};
use crate::{
    Account, ActionId, AttributesId, Bundle, BundleId, BundleStatus, CertificateRange, Change, Device,
    DeviceDescription, DeviceKind, EnergySource, GrossNet, Interval, IssuanceMetadata, Measurement, MeasurementId,
    Quality, Reading, ReadingRefusal, ReadingSource, Role, Roles, User,
};
use jiff::ToSpan as _;

const ADMINISTRATOR: UserId = UserId(1);
const ISSUER: UserId = UserId(2);
const REGISTRAR: UserId = UserId(3);
const METER: UserId = UserId(4);
/// Trades for `SELLER`.
const TRADER: UserId = UserId(5);
/// Produces for `SELLER`.
const PRODUCER: UserId = UserId(6);
/// Trades for `BUYER`.
const BUYERS_TRADER: UserId = UserId(7);
const AUDITOR: UserId = UserId(8);
/// An administrator who was deleted.
const DELETED_USER: UserId = UserId(9);

const SELLER: AccountId = AccountId(1);
/// Has whitelisted `SELLER`.
const BUYER: AccountId = AccountId(2);
const STRANGER: AccountId = AccountId(3);
/// Has whitelisted `SELLER`, and was deleted.
const DELETED_ACCOUNT: AccountId = AccountId(4);
const NOBODY: AccountId = AccountId(99);

const WIND: DeviceId = DeviceId(1);
const WIND_CAPACITY_WATTS: u64 = 1_000_000;
const METADATA: MetadataId = MetadataId(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

/// The hour that begins `hours` before noon.
fn hour_before_noon(hours: i64) -> Interval {
    let start = noon() - hours.hours();
    Interval::new(start, start + 1.hour()).unwrap()
}

fn rules() -> Rules {
    Rules {
        expiry_years: 2,
        capacity_margin: Ratio::parse("1.1").unwrap(),
        interval_max: SignedDuration::from_hours(1),
        sums_to_hour: false,
    }
}

fn user(id: UserId, roles: &[Role]) -> User {
    User {
        id,
        name: format!("User {id}"),
        primary_contact: format!("{id}@example.org"),
        roles: Roles::of(roles),
        organisation: None,
        is_deleted: id == DELETED_USER,
        created_at: at("2020-01-01T00:00:00Z"),
    }
}

fn account(id: AccountId) -> Account {
    Account {
        id,
        name: format!("Account {id}"),
        organisation_id: None,
        is_deleted: id == DELETED_ACCOUNT,
        created_at: at("2020-01-01T00:00:00Z"),
    }
}

fn description(meter: &str) -> DeviceDescription {
    DeviceDescription {
        name: "Wind farm".to_owned(),
        grid: "NESO".to_owned(),
        energy_source: EnergySource::Wind,
        technology_type: "onshore".to_owned(),
        operational_date: at("2020-01-01T00:00:00Z"),
        capacity_watts: WIND_CAPACITY_WATTS,
        peak_demand_watts: 0,
        location: "Moray".to_owned(),
        meter_data_id: Some(meter.to_owned()),
        kind: DeviceKind::Production,
    }
}

fn device(id: DeviceId) -> Device {
    Device {
        id,
        account_id: SELLER,
        description: description(&format!("meter-{id}")),
        version: 1,
        is_approved: true,
        is_deleted: false,
        created_at: at("2020-01-01T00:00:00Z"),
        gross_net: None,
        next_certificate: 1,
    }
}

fn metadata() -> MetadataDescription {
    MetadataDescription {
        country_of_issuance: "GB".to_owned(),
        connected_grid_identification: "NESO".to_owned(),
        issuing_body: "Issuer".to_owned(),
        issue_market_zone: "GB".to_owned(),
        legal_status: None,
        issuance_purpose: None,
        support_received: None,
        quality_scheme_reference: None,
        dissemination_level: None,
    }
}

/// Users, accounts, one approved wind farm and one metadata; no readings and no bundles.
fn state() -> State {
    let users = [
        user(ADMINISTRATOR, &[Role::RegistryAdministrator]),
        user(ISSUER, &[Role::GcIssuer]),
        user(REGISTRAR, &[Role::ProductionRegistrar]),
        user(METER, &[Role::MeasurementBody]),
        user(TRADER, &[Role::TradingUser]),
        user(PRODUCER, &[Role::ProductionUser]),
        user(BUYERS_TRADER, &[Role::TradingUser]),
        user(AUDITOR, &[Role::Auditor]),
        user(DELETED_USER, &[Role::RegistryAdministrator]),
    ];
    let mut state = State::default();
    state.users = users.into_iter().map(|user| (user.id, user)).collect();
    state.accounts = [SELLER, BUYER, STRANGER, DELETED_ACCOUNT].map(|id| (id, account(id))).into();
    state.memberships = [(TRADER, SELLER), (PRODUCER, SELLER), (BUYERS_TRADER, BUYER), (ISSUER, SELLER)].into();
    state.whitelist = [(BUYER, SELLER), (DELETED_ACCOUNT, SELLER), (SELLER, BUYER)].into();
    state.whitelist_sizes = [(BUYER, 1), (DELETED_ACCOUNT, 1), (SELLER, 1), (STRANGER, 0)].into();
    state.devices = [(WIND, device(WIND))].into();
    let created_at = at("2020-01-01T00:00:00Z");
    state.metadata = [(METADATA, IssuanceMetadata { id: METADATA, description: metadata(), created_at })].into();
    state.next.user = UserId(10);
    state.next.account = AccountId(5);
    state.next.device = DeviceId(2);
    state.next.metadata = MetadataId(2);
    state
}

/// A bundle of `SELLER` as it was issued for the hour `id` hours before noon, with certificates from `1000 × id`.
fn bundle(id: i64, quantity: u64) -> Bundle {
    let production = hour_before_noon(id);
    Bundle {
        id: BundleId(id),
        account_id: SELLER,
        device_id: WIND,
        attributes_id: AttributesId(1),
        range: CertificateRange::starting(1_000 * u64::try_from(id).unwrap(), WattHours(quantity)).unwrap(),
        production,
        issued_at: noon() - 30.minutes(),
        expires_at: at("2028-03-01T00:00:00Z"),
        parent_id: None,
        status: BundleStatus::Active,
        cancellation: None,
        draw_id: None,
        hash: [u8::try_from(id % 251).unwrap(); 32],
    }
}

/// The state with these bundles stored; ids go on behind the last.
fn state_with(bundles: impl IntoIterator<Item = Bundle>) -> State {
    let mut state = state();
    for bundle in bundles {
        state.next.bundle = state.next.bundle.max(bundle.id.next());
        state.load_bundle(bundle);
    }
    state
}

fn reading(interval: Interval, energy_wh: i64) -> Reading {
    Reading { device_id: WIND, interval, energy_wh, gross_net: GrossNet::Net, quality: Quality::Measured }
}

/// Adds `reading` as one that is stored, with `live` and `held` energy of its interval.
fn store_reading(state: &mut State, reading: Reading, live: u64, held: u64) -> MeasurementId {
    let id = state.next.measurement;
    state.next.measurement = id.next();
    let measurement = Measurement { id, reading, superseded_by: None };
    let start = reading.interval.start();
    let has_bundles = live + held > 0;
    state.readings.insert((reading.device_id, start), CurrentReading { measurement, has_bundles });
    let place = IssuePlace { measurement, live: WattHours(live), held: WattHours(held), has_bundles };
    state.places.insert((start, reading.device_id), place);
    id
}

fn decided(state: &State, actor: UserId, command: &Command) -> Result<(Changes, Outcome), Refusal> {
    decide(state, Actor::User(actor), command, noon(), &rules())
}

fn refusal(state: &State, actor: UserId, command: &Command) -> Refusal {
    decided(state, actor, command).expect_err("is refused")
}

fn forbidden(needs: &str) -> Refusal {
    Refusal::Forbidden { needs: needs.to_owned() }
}

fn on_bundles(source: AccountId, bundles: &[i64], portion: Portion, deed: Deed) -> Command {
    let bundles = bundles.iter().copied().map(BundleId).collect();
    Command::Bundles(BundleAction { source, bundles, portion, deed })
}

fn share(text: &str) -> Portion {
    Portion::Share(Ratio::parse(text).unwrap())
}

fn quantity(wh: u64) -> Portion {
    Portion::Quantity(WattHours(wh))
}

fn with_status(bundle: Bundle, status: BundleStatus) -> Bundle {
    Bundle { status, ..bundle }
}

fn cancel() -> Deed {
    Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose: None }
}

/// `Changed` for a bundle as it is in `state`.
fn changed(state: &State, id: i64, after: impl FnOnce(&mut Mutable)) -> Change {
    let before = state.bundle(BundleId(id)).unwrap().mutable();
    let mut to = before.clone();
    after(&mut to);
    Change::BundleChanged { id: BundleId(id), before, after: to }
}
