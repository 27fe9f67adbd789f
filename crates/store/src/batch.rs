//! One batch: what its commands name is read in a few sets, and what they changed is written in bulk.
//!
//! About six reads and six writes whatever the number of commands.

mod storage;

use crate::{
    account, action, bundle, device, event, holding, measurement, metadata, order_run, organisation, recurring_order,
    session, user,
};
use crate::{action::ActionRow, event::EventRow};
use db::{Connection, Result};
use domain::action::{Adopted, BundleAction, CreateBundle, Deed, Edit, ImportSeed, SeedFamily};
use domain::recurring_order::{OrderDeed, OrderTerms};
use domain::state::{ACCOUNT_NAME, METER_DATA_ID, ORGANISATION_NAME, PRIMARY_CONTACT};
use domain::time::{INTERVAL_MAX, hour_of};
use domain::{Actor, Change, Command, DeviceId, GrossNet, Interval, Measurement, NextIds, Quality, Reading, State};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The year 0: before every reading, and known to both engines.
const FIRST_INSTANT: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// The ids and unique values that commands name.
#[derive(Default)]
struct Named {
    users: Vec<i64>,
    organisations: Vec<i64>,
    accounts: Vec<i64>,
    receivers: Vec<i64>,
    senders: Vec<i64>,
    devices: Vec<i64>,
    issued_devices: Vec<i64>,
    measurements: Vec<i64>,
    metadata: Vec<i64>,
    bundles: Vec<i64>,
    recurring_orders: Vec<i64>,
    contacts: Vec<String>,
    account_names: Vec<String>,
    organisation_names: Vec<String>,
    meters: Vec<String>,
}

impl Named {
    fn add(&mut self, actor: Actor, command: &Command) {
        if let Actor::User(id) = actor {
            self.users.push(id.0);
        }
        match command {
            Command::CreateUser(new) => {
                self.accounts.extend(new.account_ids.iter().map(|id| id.0));
                self.contacts.push(new.primary_contact.clone());
            }
            Command::UpdateUser(update) => {
                self.users.push(update.user_id.0);
                self.accounts.extend(update.account_ids.iter().flatten().map(|id| id.0));
                self.contacts.extend(update.primary_contact.clone());
            }
            Command::ChangeRole(change) => self.users.push(change.user_id.0),
            Command::DeleteUser(id) => self.users.push(id.0),
            Command::CreateOrganisation(new) => self.organisation_names.push(new.name.clone()),
            Command::UpdateOrganisation(update) => {
                self.organisations.push(update.organisation_id.0);
                self.organisation_names.extend(update.name.clone());
            }
            Command::DeleteOrganisation(id) => self.organisations.push(id.0),
            Command::CreateAccount(new) => {
                self.organisations.extend(new.organisation_id.map(|id| id.0));
                self.users.extend(new.user_ids.iter().map(|id| id.0));
                self.accounts.extend(new.whitelist.iter().map(|id| id.0));
                self.account_names.push(new.name.clone());
            }
            Command::UpdateAccount(update) => {
                self.accounts.push(update.account_id.0);
                if let Edit::Set(id) = update.organisation_id {
                    self.organisations.push(id.0);
                }
                self.users.extend(update.user_ids.iter().flatten().map(|id| id.0));
                self.account_names.extend(update.name.clone());
            }
            Command::DeleteAccount(id) => self.accounts.push(id.0),
            Command::UpdateWhitelist(update) => {
                self.accounts.push(update.account_id.0);
                self.accounts.extend(update.add.iter().map(|id| id.0));
                self.receivers.push(update.account_id.0);
                self.senders.extend(update.add.iter().chain(&update.remove).map(|id| id.0));
            }
            Command::CreateDevice(new) => {
                self.accounts.push(new.account_id.0);
                self.meters.extend(new.description.meter_data_id.clone());
            }
            Command::UpdateDevice(update) => {
                self.devices.push(update.device_id.0);
                if let Edit::Set(meter) = &update.meter_data_id {
                    self.meters.push(meter.clone());
                }
            }
            Command::ApproveDevice(id) | Command::DeleteDevice(id) => self.devices.push(id.0),
            Command::SubmitReadings(submission) => {
                self.devices.extend(submission.readings.iter().map(|r| r.device_id.0));
            }
            Command::UpdateMeasurement(update) => self.measurements.push(update.measurement.0),
            Command::DeleteMeasurement(id) | Command::ReleaseHold { measurement: id, .. } => {
                self.measurements.push(id.0);
            }
            Command::Issue(chunk) => {
                self.metadata.push(chunk.metadata_id.0);
                self.issued_devices.extend(chunk.devices.iter().map(|id| id.0));
            }
            Command::CreateBundle(statement) => {
                self.metadata.push(statement.metadata_id.0);
                self.issued_devices.push(statement.device_id.0);
            }
            Command::Bundles(action) => self.add_bundles(action),
            Command::PlaceOrder(terms) => self.add_order(terms),
            Command::EndOrder(id) | Command::PauseOrder(id) | Command::ResumeOrder(id) => {
                self.recurring_orders.push(id.0);
            }
            Command::RunOrder(run) => {
                self.recurring_orders.push(run.order.0);
                self.add_order(&run.terms);
                self.bundles.extend(run.bundles.iter().map(|id| id.0));
            }
            Command::Expire(bundles) => self.bundles.extend(bundles.iter().map(|id| id.0)),
            Command::CreateScr(new) => self.devices.push(new.device_id.0),
            Command::CreateSdr(new) => self.devices.push(new.device_id.0),
            // the devices of storage records follow from what is stored
            Command::CreateMetadata(_) | Command::WithdrawScr(_) | Command::WithdrawSdr(_) | Command::IssueSdgc(_) => {}
            Command::ImportSeed(rows) => self.add_seed(rows),
        }
    }

    fn add_seed(&mut self, rows: &ImportSeed) {
        match rows {
            ImportSeed::Users(users) => self.contacts.extend(users.iter().map(|user| user.primary_contact.clone())),
            ImportSeed::Accounts(accounts) => self.account_names.extend(accounts.iter().map(|a| a.name.clone())),
            ImportSeed::Members(members) => {
                self.users.extend(members.iter().map(|(user, _)| user.0));
                self.accounts.extend(members.iter().map(|(_, account)| account.0));
            }
            ImportSeed::Senders(pairs) => {
                self.accounts.extend(pairs.iter().flat_map(|(account, sender)| [account.0, sender.0]));
                self.receivers.extend(pairs.iter().map(|(account, _)| account.0));
                self.senders.extend(pairs.iter().map(|(_, sender)| sender.0));
            }
            ImportSeed::Devices(devices) => {
                self.accounts.extend(devices.iter().map(|device| device.account_id.0));
                self.meters.extend(devices.iter().filter_map(|device| device.description.meter_data_id.clone()));
            }
            ImportSeed::Metadata(_) => {}
            ImportSeed::Readings(submission) => {
                self.devices.extend(submission.readings.iter().map(|r| r.device_id.0));
            }
            ImportSeed::Families(families) => {
                for family in families {
                    self.issued_devices.push(family.device_id.0);
                    self.metadata.push(family.metadata_id.0);
                    self.bundles.extend(family.members.iter().map(|member| member.id.0));
                    self.accounts.extend(family.members.iter().map(|member| member.account_id.0));
                }
            }
        }
    }

    fn add_bundles(&mut self, action: &BundleAction) {
        self.accounts.push(action.source.0);
        self.bundles.extend(action.bundles.iter().map(|id| id.0));
        match &action.deed {
            Deed::Transfer { target } => {
                self.accounts.push(target.0);
                self.receivers.push(target.0);
                self.senders.push(action.source.0);
            }
            Deed::Cancel { beneficiary_account, .. } => self.accounts.extend(beneficiary_account.map(|id| id.0)),
            Deed::UpdateMutables { account, .. } => self.accounts.extend(account.map(|id| id.0)),
            Deed::Claim | Deed::Reserve { .. } | Deed::Lock { .. } | Deed::Unlock { .. } | Deed::Withdraw { .. } => {}
        }
    }

    fn add_order(&mut self, terms: &OrderTerms) {
        self.accounts.push(terms.source.0);
        self.devices.extend(terms.device.map(|id| id.0));
        match &terms.deed {
            OrderDeed::Transfer { target } => {
                self.accounts.push(target.0);
                self.receivers.push(target.0);
                self.senders.push(terms.source.0);
            }
            OrderDeed::Cancel { beneficiary_account, .. } => self.accounts.extend(beneficiary_account.map(|id| id.0)),
        }
    }

    fn sort(&mut self) {
        self.devices.extend(&self.issued_devices);
        for ids in [
            &mut self.users,
            &mut self.organisations,
            &mut self.accounts,
            &mut self.receivers,
            &mut self.senders,
            &mut self.devices,
            &mut self.issued_devices,
            &mut self.measurements,
            &mut self.metadata,
            &mut self.bundles,
            &mut self.recurring_orders,
        ] {
            ids.sort_unstable();
            ids.dedup();
        }
    }
}

/// Everything that these commands name, as it is now.
pub fn load<'c>(
    connection: &mut Connection,
    next: NextIds,
    commands: impl Iterator<Item = (Actor, &'c Command)> + Clone,
) -> Result<State> {
    let mut named = Named::default();
    commands.clone().for_each(|(actor, command)| named.add(actor, command));
    let mut state = State::new(next);
    load_measurements(connection, &mut named, &mut state)?;
    named.sort();
    load_people(connection, &named, &mut state)?;
    load_taken(connection, &named, &mut state)?;
    if !named.bundles.is_empty() {
        bundle::by_ids(connection, &named.bundles)?.into_iter().for_each(|b| state.load_bundle(b));
    }
    if !named.recurring_orders.is_empty() {
        let found = recurring_order::by_ids(connection, &named.recurring_orders)?;
        state.recurring_orders = found.into_iter().map(|order| (order.id, order)).collect();
    }
    if !named.devices.is_empty() {
        state.devices = device::by_ids(connection, &named.devices)?.into_iter().map(|d| (d.id, d)).collect();
    }
    if !named.metadata.is_empty() {
        state.metadata = metadata::by_ids(connection, &named.metadata)?.into_iter().map(|m| (m.id, m)).collect();
        let known = metadata::known_attributes(connection, &named.issued_devices, &named.metadata)?;
        state.attributes = known.into_iter().collect();
    }
    for (_, command) in commands {
        match command {
            Command::SubmitReadings(submission) | Command::ImportSeed(ImportSeed::Readings(submission)) => {
                load_current(connection, &mut state, &submission.readings)?;
                load_parts_of(connection, &mut state, &submission.readings)?;
            }
            Command::ImportSeed(ImportSeed::Families(families)) => load_intervals(connection, &mut state, families)?,
            Command::Issue(chunk) => {
                let devices: Vec<i64> = chunk.devices.iter().map(|id| id.0).collect();
                // whole hours, as their readings may be issued together
                let (from, to) = (hour_of(chunk.from).start(), end_of_hour(chunk.to));
                let places = measurement::places(connection, &devices, from, to)?;
                if state.places.is_empty() { state.places = places } else { state.places.extend(places) }
            }
            Command::CreateBundle(statement) => load_interval(connection, &mut state, statement)?,
            Command::CreateUser(_)
            | Command::UpdateUser(_)
            | Command::ChangeRole(_)
            | Command::DeleteUser(_)
            | Command::CreateOrganisation(_)
            | Command::UpdateOrganisation(_)
            | Command::DeleteOrganisation(_)
            | Command::CreateAccount(_)
            | Command::UpdateAccount(_)
            | Command::DeleteAccount(_)
            | Command::UpdateWhitelist(_)
            | Command::CreateDevice(_)
            | Command::UpdateDevice(_)
            | Command::ApproveDevice(_)
            | Command::DeleteDevice(_)
            | Command::CreateMetadata(_)
            | Command::UpdateMeasurement(_)
            | Command::DeleteMeasurement(_)
            | Command::ReleaseHold { .. }
            | Command::Bundles(_)
            | Command::ImportSeed(_)
            | Command::PlaceOrder(_)
            | Command::EndOrder(_)
            | Command::PauseOrder(_)
            | Command::ResumeOrder(_)
            | Command::RunOrder(_)
            | Command::Expire(_)
            | Command::CreateScr(_)
            | Command::CreateSdr(_)
            | Command::WithdrawScr(_)
            | Command::WithdrawSdr(_)
            | Command::IssueSdgc(_) => {}
        }
    }
    Ok(state)
}

/// The next whole hour, or `at` if it is one.
fn end_of_hour(at: Timestamp) -> Timestamp {
    let hour = hour_of(at);
    if hour.start() == at { at } else { hour.end() }
}

/// The readings that a statement may equal or overlap, and what was issued on the one it equals.
fn load_interval(connection: &mut Connection, state: &mut State, statement: &CreateBundle) -> Result<()> {
    load_current(connection, state, &[statement.reading(GrossNet::Net)])?;
    let (from, to) = (statement.production.start(), statement.production.end());
    state.places.extend(measurement::places(connection, &[statement.device_id.0], from, to)?);
    Ok(())
}

fn load_current(connection: &mut Connection, state: &mut State, readings: &[Reading]) -> Result<()> {
    let current = measurement::current(connection, readings)?;
    state.readings.extend(current.into_iter().map(|c| {
        let reading = &c.measurement.reading;
        ((reading.device_id, reading.interval.start()), c)
    }));
    Ok(())
}

/// The parts of the hours' sums that `readings` meet: where they are shorter than what is current in their hour.
fn load_parts_of(connection: &mut Connection, state: &mut State, readings: &[Reading]) -> Result<()> {
    let mut hours: Vec<(DeviceId, Interval)> = readings
        .iter()
        .filter(|reading| reading.interval.duration() < INTERVAL_MAX)
        .map(|reading| (reading.device_id, hour_of(reading.interval.start())))
        .filter(|(device, hour)| {
            let current = state.readings.get(&(*device, hour.start()));
            current.is_some_and(|current| current.measurement.reading.interval == *hour)
        })
        .collect();
    hours.sort_unstable();
    hours.dedup();
    load_parts(connection, state, &hours)
}

fn load_parts(connection: &mut Connection, state: &mut State, hours: &[(DeviceId, Interval)]) -> Result<()> {
    if hours.is_empty() {
        return Ok(());
    }
    let parts = measurement::parts(connection, hours)?;
    state.parts.extend(parts.into_iter().map(|part| ((part.reading.device_id, part.reading.interval.start()), part)));
    Ok(())
}

/// The readings that adopted families may stem from, and those that they may overlap.
fn load_intervals(connection: &mut Connection, state: &mut State, families: &[SeedFamily]) -> Result<()> {
    let mut windows: BTreeMap<DeviceId, (Timestamp, Timestamp)> = BTreeMap::new();
    for family in families {
        let (start, end) = (family.production.start(), family.production.end());
        let window = windows.entry(family.device_id).or_insert((start, end));
        *window = (window.0.min(start), window.1.max(end));
    }
    for (device, (from, to)) in windows {
        state.places.extend(measurement::places(connection, &[device.0], from, to)?);
    }
    // only the device and the time of these count
    let wanted: Vec<Reading> = families
        .iter()
        .map(|family| Reading {
            device_id: family.device_id,
            interval: family.production,
            energy_wh: 0,
            gross_net: GrossNet::Net,
            quality: Quality::Measured,
        })
        .collect();
    load_current(connection, state, &wanted)
}

/// Readings that are named, their devices, and all that stems from their intervals.
fn load_measurements(connection: &mut Connection, named: &mut Named, state: &mut State) -> Result<()> {
    if named.measurements.is_empty() {
        return Ok(());
    }
    named.measurements.sort_unstable();
    named.measurements.dedup();
    for measurement in measurement::by_ids(connection, &named.measurements)? {
        let device = measurement.reading.device_id;
        named.devices.push(device.0);
        state.load_measurement(measurement);
        let stands_on = load_sum(connection, state, &measurement)?;
        let start = stands_on.interval.start();
        load_current(connection, state, &[stands_on])?;
        let has_bundles = state.readings.get(&(device, start)).is_some_and(|current| current.has_bundles);
        let end = start.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
        state.places.extend(measurement::places(connection, &[device.0], start, end)?);
        if has_bundles {
            let bundles = bundle::of_interval(connection, device, start)?;
            let roots: Vec<i64> = bundles.iter().filter(|b| b.parent_id.is_none()).map(|b| b.id.0).collect();
            let issued_to = bundle::created_in(connection, &roots)?;
            state.load_interval(device, start, bundles, issued_to);
        }
    }
    Ok(())
}

/// The parts of the sum that a reading is, or counts as a part of; gives the reading that certificates stand on.
fn load_sum(connection: &mut Connection, state: &mut State, named: &Measurement) -> Result<Reading> {
    let (reading, hour) = (named.reading, hour_of(named.reading.interval.start()));
    let may_be_part = named.superseded_by.is_some() && reading.interval.duration() < INTERVAL_MAX;
    if !may_be_part && reading.interval != hour {
        return Ok(reading);
    }
    load_parts(connection, state, &[(reading.device_id, hour)])?;
    let is_part = state.parts.get(&(reading.device_id, reading.interval.start())).is_some_and(|p| p.id == named.id);
    Ok(if is_part { Reading { interval: hour, ..reading } } else { reading })
}

fn load_people(connection: &mut Connection, named: &Named, state: &mut State) -> Result<()> {
    if !named.users.is_empty() {
        state.users = user::by_ids(connection, &named.users)?.into_iter().map(|u| (u.id, u)).collect();
        state.memberships = user::memberships(connection, &named.users)?.into_iter().collect();
    }
    if !named.organisations.is_empty() {
        let found = organisation::by_ids(connection, &named.organisations)?;
        state.organisations = found.into_iter().map(|o| (o.id, o)).collect();
    }
    if !named.accounts.is_empty() {
        state.accounts = account::by_ids(connection, &named.accounts)?.into_iter().map(|a| (a.id, a)).collect();
    }
    if !named.receivers.is_empty() {
        let pairs = account::whitelisted(connection, &named.receivers, &named.senders)?;
        state.whitelist = pairs.into_iter().collect();
    }
    Ok(())
}

fn load_taken(connection: &mut Connection, named: &Named, state: &mut State) -> Result<()> {
    type Taken = fn(&mut Connection, &[String]) -> Result<Vec<String>>;
    let unique: [(&'static str, &[String], Taken); 4] = [
        (PRIMARY_CONTACT, &named.contacts, user::taken_contacts),
        (ACCOUNT_NAME, &named.account_names, account::taken_names),
        (ORGANISATION_NAME, &named.organisation_names, organisation::taken_names),
        (METER_DATA_ID, &named.meters, device::taken_meters),
    ];
    for (field, values, taken) in unique {
        if !values.is_empty() {
            state.taken.extend(taken(connection, values)?.into_iter().map(|value| (field, value)));
        }
    }
    Ok(())
}

/// Reads what only few commands need, each for itself: how long a whitelist is, who else belongs to an account or
/// administers the registry, what keeps an account or a device from being deleted, what storage records there are. Of the latter one thing is enough, as
/// such a command is alone in its batch.
pub fn load_apart<'c>(
    connection: &mut Connection,
    state: &mut State,
    now: Timestamp,
    commands: impl Iterator<Item = &'c Command> + Clone,
) -> Result<()> {
    storage::load(connection, state, commands.clone())?;
    let mut losses = 0;
    for command in commands {
        match command {
            Command::UpdateWhitelist(update) => {
                let size = account::whitelist_size(connection, update.account_id)?;
                state.whitelist_sizes.insert(update.account_id, usize::try_from(size).unwrap_or(usize::MAX));
            }
            Command::UpdateAccount(update) if update.user_ids.is_some() => {
                state.memberships.extend(account::members(connection, &[update.account_id.0])?);
            }
            Command::ChangeRole(_) | Command::DeleteUser(_) => losses += 1,
            Command::DeleteAccount(id) => {
                bundle::binding(connection, *id, now, 1)?.into_iter().for_each(|b| state.load_bundle(b));
                state.devices.extend(device::live_of_account(connection, *id, 1)?.into_iter().map(|d| (d.id, d)));
            }
            Command::DeleteDevice(id) => {
                let places = measurement::places(connection, &[id.0], FIRST_INSTANT, Timestamp::MAX)?;
                state.places.extend(places);
                let unissued = crate::storage::unissued(connection, *id)?;
                state.storage.unissued.extend(unissued.map(|sdr| (*id, sdr)));
            }
            _ => {}
        }
    }
    if losses > 0 {
        // One more than may go in this batch: if any is left after them, it is among these.
        let found = user::administrators(connection, losses + 1)?;
        state.users.extend(found.into_iter().map(|user| (user.id, user)));
    }
    Ok(())
}

/// Writes what the commands of a batch changed.
pub fn write_rows(tx: &mut Connection, state: &State) -> Result<()> {
    for change in &state.written.others {
        write_other(tx, change)?;
        if let Some(user) = change.revokes() {
            session::revoke_all(tx, user)?;
        }
    }
    for (_, run) in &state.written.runs {
        if let Change::OrderRan { after, .. } = run {
            recurring_order::update(tx, after)?;
        }
    }
    order_run::insert(tx, &state.written.runs)?;
    measurement::supersede(tx, &state.written.superseded)?;
    measurement::insert(tx, &state.written.measurements)?;
    bundle::insert(tx, &state.written.adopted_bundles)?;
    measurement::add_released(tx, &state.written.released)?;
    bundle::insert(tx, &state.written.bundles)?;
    bundle::update(tx, &state.changed_bundles())?;
    holding::add(tx, state)?;
    device::update(tx, &state.changed_devices())
}

/// Writes the actions of a batch and their events.
pub fn write_log(tx: &mut Connection, actions: &[ActionRow], events: &[EventRow]) -> Result<()> {
    action::insert(tx, actions)?;
    event::insert(tx, events)
}

/// Both, for who needs nothing between.
pub fn write(tx: &mut Connection, state: &State, actions: &[ActionRow], events: &[EventRow]) -> Result<()> {
    write_rows(tx, state)?;
    write_log(tx, actions, events)
}

fn write_other(tx: &mut Connection, change: &Change) -> Result<()> {
    match change {
        Change::UserCreated { user, accounts, password_hash } => {
            user::insert(tx, user, password_hash.as_deref())?;
            accounts.iter().try_for_each(|account| user::insert_membership(tx, user.id, *account))
        }
        Change::UserChanged { after, password_hash, .. } => user::update(tx, after, password_hash.as_deref()),
        Change::UserDeleted(id) => user::delete(tx, *id),
        Change::MembershipsChanged { user, joined, left } => {
            left.iter().try_for_each(|account| user::delete_membership(tx, *user, *account))?;
            joined.iter().try_for_each(|account| user::insert_membership(tx, *user, *account))
        }
        Change::OrganisationCreated(organisation) => organisation::insert(tx, organisation),
        Change::OrganisationChanged { id, after, .. } => organisation::update(tx, *id, after),
        Change::OrganisationDeleted(id) => organisation::delete(tx, *id),
        Change::AccountCreated { account, whitelist } => {
            account::insert(tx, account)?;
            account::change_whitelist(tx, account.id, whitelist, &[])
        }
        Change::AccountChanged { after, .. } => account::update(tx, after),
        Change::AccountDeleted(id) => account::delete(tx, *id),
        Change::WhitelistChanged { account, added, removed } => account::change_whitelist(tx, *account, added, removed),
        Change::DeviceCreated(device) | Change::Adopted(Adopted::Device(device)) => device::insert(tx, device),
        Change::DeviceChanged { after, .. } => device::describe(tx, after),
        Change::DeviceDeleted(id) => device::delete(tx, *id),
        Change::MetadataCreated(metadata) | Change::Adopted(Adopted::Metadata(metadata)) => {
            metadata::insert(tx, metadata)
        }
        Change::AttributesCreated(attributes) => metadata::insert_attributes(tx, attributes),
        Change::Adopted(Adopted::User(user)) => user::insert(tx, user, None),
        Change::Adopted(Adopted::Account(account)) => account::insert(tx, account),
        Change::OrderPlaced(order) => recurring_order::insert(tx, order),
        Change::OrderEnded { id, .. } => recurring_order::end(tx, *id),
        Change::OrderChanged { after, .. } => recurring_order::update(tx, after),
        Change::ScrCreated(scr) => crate::storage::insert_scr(tx, scr),
        Change::ScrWithdrawn(id) => crate::storage::withdraw_scr(tx, *id),
        Change::SdrCreated(sdr) => crate::storage::insert_sdr(tx, sdr),
        Change::SdrWithdrawn(id) => crate::storage::withdraw_sdr(tx, *id),
        Change::Drawn(draw) => crate::storage::insert_draw(tx, draw),
        Change::DeviceApproved(_)
        | Change::Adopted(Adopted::Bundle(_))
        | Change::ReadingsAccepted { .. }
        | Change::ReadingSuperseded { .. }
        | Change::ReadingDeleted(_)
        | Change::HoldReleased { .. }
        | Change::OrderRan { .. }
        | Change::BundleCreated(_)
        | Change::BundleChanged { .. } => unreachable!("written in bulk"),
    }
}
