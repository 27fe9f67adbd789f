//! What commands on storage look at; and what others do because a storage record may stand in their way.
//!
//! A command that makes or ends a record is alone in its batch, so that what is read here is what it meets.

use super::load_current;
use crate::{bundle, device, measurement, metadata, storage};
use db::{Connection, Result};
use domain::action::{CreateScr, CreateSdr, Deed};
use domain::{
    BundleId, Command, DeviceId, DeviceKind, Draw, GrossNet, Interval, Quality, Reading, Scr, Sdr, SdrId, State,
};
use jiff::{SignedDuration, Timestamp};

pub(super) fn load<'c>(
    connection: &mut Connection,
    state: &mut State,
    commands: impl Iterator<Item = &'c Command>,
) -> Result<()> {
    let (mut withdrawn, mut readings): (Vec<i64>, Vec<Reading>) = (Vec::new(), Vec::new());
    for command in commands {
        match command {
            Command::Bundles(action) if matches!(action.deed, Deed::Withdraw { .. }) => {
                withdrawn.extend(action.bundles.iter().map(|id| id.0));
            }
            Command::SubmitReadings(submission) => readings.extend(of_storage(state, &submission.readings)),
            Command::UpdateMeasurement(update) => readings.extend(named(state, update.measurement)),
            Command::DeleteMeasurement(id) => readings.extend(named(state, *id)),
            Command::CreateScr(new) => load_charge(connection, state, new)?,
            Command::CreateSdr(new) => load_discharge(connection, state, new)?,
            Command::WithdrawScr(id) => {
                let scrs = storage::scrs_by_ids(connection, &[id.0])?;
                load_devices(connection, state, scrs.iter().map(|scr| scr.device_id))?;
                keep_scrs(state, scrs);
            }
            Command::WithdrawSdr(id) => drop(load_sdr(connection, state, *id)?),
            Command::IssueSdgc(id) => load_issue(connection, state, *id)?,
            _ => {}
        }
    }
    if !withdrawn.is_empty() {
        state.storage.allocated.extend(storage::allocated(connection, &withdrawn)?);
    }
    let starts = readings.iter().map(|reading| reading.interval.start());
    if let (Some(first), Some(last)) = (starts.clone().min(), starts.max()) {
        let mut devices: Vec<i64> = readings.iter().map(|reading| reading.device_id.0).collect();
        devices.sort_unstable();
        devices.dedup();
        let end = behind(last);
        state.storage.recorded.extend(storage::recorded(connection, &devices, first, end)?);
    }
    Ok(())
}

/// Those of storage devices: most submissions have none, and cost nothing here.
fn of_storage<'s>(state: &'s State, readings: &'s [Reading]) -> impl Iterator<Item = Reading> + 's {
    let has_any = state.devices.values().any(|device| device.description.kind == DeviceKind::Storage);
    let is_storage = |reading: &&Reading| {
        state.devices.get(&reading.device_id).is_some_and(|device| device.description.kind == DeviceKind::Storage)
    };
    let readings = if has_any { readings } else { &[] };
    readings.iter().filter(is_storage).copied()
}

fn named(state: &State, id: domain::MeasurementId) -> Option<Reading> {
    let reading = state.measurement(id)?.reading;
    of_storage(state, &[reading]).next()
}

fn load_charge(connection: &mut Connection, state: &mut State, new: &CreateScr) -> Result<()> {
    load_reading(connection, state, new.device_id, new.interval)?;
    let scrs = storage::scrs_of_interval(connection, new.device_id, new.interval.start())?;
    keep_scrs(state, scrs);
    let Some(allocation) = &new.allocation else { return Ok(()) };
    let bundles = bundle::of_interval(connection, allocation.device_id, allocation.start)?;
    let ids: Vec<i64> = bundles.iter().map(|bundle| bundle.id.0).collect();
    state.storage.allocated.extend(storage::allocated(connection, &ids)?);
    let attributes: Vec<i64> = bundles.iter().map(|bundle| bundle.attributes_id.0).collect();
    state.storage.snapshots.extend(storage::snapshots(connection, &attributes)?);
    let draws: Vec<i64> = bundles.iter().filter_map(|bundle| bundle.draw_id).map(|id| id.0).collect();
    if !draws.is_empty() {
        keep_draws(state, storage::draws_by_ids(connection, &draws)?);
    }
    let nobody: [(BundleId, domain::AccountId); 0] = [];
    state.load_interval(allocation.device_id, allocation.start, bundles, nobody);
    Ok(())
}

fn load_discharge(connection: &mut Connection, state: &mut State, new: &CreateSdr) -> Result<()> {
    let (device, start) = (new.device_id, new.interval.start());
    load_reading(connection, state, device, new.interval)?;
    let mut discharges = storage::sdrs_of_interval(connection, device, start)?;
    let (first, last) = storage::first_and_last_sdr(connection, device)?;
    discharges.extend(first.into_iter().chain(last));
    keep_sdrs(state, discharges);
    let mut scrs = storage::open_scrs(connection, device, start)?;
    scrs.extend(storage::any_scr(connection, device, start)?);
    let picks: Vec<i64> = new.picks.iter().map(|pick| pick.scr_id.0).collect();
    if !picks.is_empty() {
        scrs.extend(storage::scrs_by_ids(connection, &picks)?);
    }
    let metadata: Vec<i64> = scrs.iter().filter_map(|scr| scr.backing).map(|backing| backing.metadata_id.0).collect();
    if !metadata.is_empty() {
        state.attributes.extend(metadata::known_attributes(connection, &[device.0], &metadata)?);
    }
    keep_scrs(state, scrs);
    if let Some(basis) = &new.efficiency {
        let measured = storage::measured(connection, device, basis.interval)?;
        state.storage.measured.insert((device, basis.interval), measured);
    }
    Ok(())
}

/// A discharge, its device, and what it draws of which charge.
fn load_sdr(connection: &mut Connection, state: &mut State, id: SdrId) -> Result<Option<Sdr>> {
    let Some(sdr) = storage::sdrs_by_ids(connection, &[id.0])?.pop() else { return Ok(None) };
    load_devices(connection, state, std::iter::once(sdr.device_id))?;
    keep_sdrs(state, vec![sdr]);
    let draws = storage::draws_of(connection, &[id.0])?;
    let scrs: Vec<i64> = draws.iter().map(|draw| draw.scr_id.0).collect();
    let scrs = storage::scrs_by_ids(connection, &scrs)?;
    keep_scrs(state, scrs);
    let ids: Vec<i64> = draws.iter().map(|draw| draw.id.0).collect();
    state.storage.live.extend(storage::live_of(connection, &ids)?);
    keep_draws(state, draws);
    Ok(Some(sdr))
}

fn load_issue(connection: &mut Connection, state: &mut State, id: SdrId) -> Result<()> {
    let Some(sdr) = load_sdr(connection, state, id)? else { return Ok(()) };
    let start = sdr.interval.start();
    state.places.extend(measurement::places(connection, &[sdr.device_id.0], start, behind(start))?);
    let backings = state.storage.scrs.values().filter_map(|scr| scr.backing).map(|backing| backing.attributes_id);
    let attributes = backings.chain(state.storage.draws.values().filter_map(|draw| draw.attributes_id));
    let ids: Vec<i64> = attributes.map(|id| id.0).collect();
    state.storage.snapshots.extend(storage::snapshots(connection, &ids)?);
    Ok(())
}

/// The reading that a record stands on.
fn load_reading(connection: &mut Connection, state: &mut State, device: DeviceId, interval: Interval) -> Result<()> {
    // only the device and the time of this count
    let (gross_net, quality) = (GrossNet::Net, Quality::Measured);
    load_current(connection, state, &[Reading { device_id: device, interval, energy_wh: 0, gross_net, quality }])
}

fn load_devices(connection: &mut Connection, state: &mut State, devices: impl Iterator<Item = DeviceId>) -> Result<()> {
    let ids: Vec<i64> = devices.map(|id| id.0).collect();
    state.devices.extend(device::by_ids(connection, &ids)?.into_iter().map(|device| (device.id, device)));
    Ok(())
}

fn keep_scrs(state: &mut State, scrs: Vec<Scr>) {
    state.storage.scrs.extend(scrs.into_iter().map(|scr| (scr.id, scr)));
}

fn keep_sdrs(state: &mut State, sdrs: Vec<Sdr>) {
    state.storage.sdrs.extend(sdrs.into_iter().map(|sdr| (sdr.id, sdr)));
}

fn keep_draws(state: &mut State, draws: Vec<Draw>) {
    state.storage.draws.extend(draws.into_iter().map(|draw| (draw.id, draw)));
}

/// The instant after `start`.
fn behind(start: Timestamp) -> Timestamp {
    start.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX)
}
