//! Readings that the registry fetches from Elexon: by command, as the first step of an issue, and on a schedule.
//!
//! A device's unit is its `meter_data_id`. What is fetched is taken as the operator, whoever asked, for the values are the
//! source's: a new half-hour is a reading, the same again changes nothing, and another value, as a later settlement run has
//! it, corrects the earlier one by the rules of corrections. Metered half-hours are net and measured. The writer is never held
//! while the source is asked. What the source lacks is told row by row.

mod schedule;

pub use schedule::ElexonSchedule;

use crate::import::{InputFault, RowFault, Rows};
use crate::job::{Progress, RefusedReading};
use crate::work::{Beside, Pending};
use crate::{Error, ReadingsReport, Registry};
use domain::{DeviceId, GrossNet, Interval, JobId, Quality, Reading, ReadingSource, Refusal};
use jiff::Timestamp;
use source::elexon::{Elexon, Lack, asks, is_unit};
use std::collections::HashMap;
use store::job::JobState;

pub use source::elexon::Capacity;

/// Units of one import.
pub const ELEXON_UNITS_MAX: usize = 5_000;

/// Which half-hours to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElexonRequest {
    /// Those that start at or after this …
    pub from: Timestamp,
    /// … and before this.
    pub to: Timestamp,
    /// Units, each the `meter_data_id` of a device. All devices with one if there are none.
    pub units: Vec<String>,
}

/// What came of a fetch.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub report: ReadingsReport,
    /// Why the source could not be read to the end. What the report tells was taken and stands.
    pub fault: Option<String>,
}

/// A device and the unit that meters it.
pub(crate) type Metered = (DeviceId, String);

impl Registry {
    /// Fetches half-hours and takes them as readings; `on_report` hears how far it is. Blocks, for as long as the source takes.
    ///
    /// # Errors
    /// [`Error::BadQuery`] if a unit is no device's or there is none at all; what goes wrong with the registry itself.
    pub fn import_elexon(
        &self,
        request: &ElexonRequest,
        on_report: &mut dyn FnMut(&ReadingsReport),
    ) -> Result<Fetched, Error> {
        let mut metered = self.elexon_devices()?;
        if !request.units.is_empty() {
            let known: Vec<&String> = metered.iter().map(|(_, unit)| unit).collect();
            if let Some(unknown) = request.units.iter().find(|unit| !known.contains(unit)) {
                return Err(Error::BadQuery(format!("no device has the meter_data_id {unknown}")));
            }
            metered.retain(|(_, unit)| request.units.contains(unit));
        }
        if metered.is_empty() {
            return Err(Error::BadQuery("no device has a BM unit as its meter_data_id".to_owned()));
        }
        self.fetch(&metered, request.from, request.to, on_report)
    }

    /// The installed capacities of these units, as far as the source knows them. Blocks.
    ///
    /// # Errors
    /// [`Error::BadQuery`] for what is no unit, [`Error::Source`].
    pub fn elexon_capacities(&self, units: &[String]) -> Result<Vec<Capacity>, Error> {
        if let Some(odd) = units.iter().find(|unit| !is_unit(unit)) {
            return Err(Error::BadQuery(format!("{odd} is no BM unit, such as T_ABRBO-1")));
        }
        let found = self.0.elexon.capacities(units, self.now(), &|| self.is_closing());
        found.map_err(|fault| Error::Source(fault.to_string()))
    }

    /// Devices that are not deleted and have a BM unit as their meter.
    pub(crate) fn elexon_devices(&self) -> Result<Vec<Metered>, Error> {
        let mut metered = self.read_primary(store::device::metered)?;
        metered.retain(|(_, meter)| is_unit(meter));
        Ok(metered)
    }

    pub(crate) fn fetch(
        &self,
        metered: &[Metered],
        from: Timestamp,
        to: Timestamp,
        on_report: &mut dyn FnMut(&ReadingsReport),
    ) -> Result<Fetched, Error> {
        if metered.len() > ELEXON_UNITS_MAX {
            return Err(Refusal::TooMany { field: "units", max: ELEXON_UNITS_MAX }.into());
        }
        let devices = metered.iter().map(|(id, unit)| (unit.clone(), *id)).collect();
        let units = metered.iter().map(|(_, unit)| unit.clone()).collect();
        let rows = HalfHourly { elexon: &self.0.elexon, registry: self, devices, units, from, to: to.min(self.now()) };
        let (report, fault) = self.take_fetched(rows, ReadingSource::Elexon, on_report)?;
        Ok(Fetched { report, fault })
    }

    /// Writes how far a job is that fetches, and whether it goes on.
    pub(crate) fn note_fetched(
        &self,
        id: JobId,
        fetched: &Fetched,
        is_whole: bool,
        state: JobState,
    ) -> Result<(), Error> {
        let report = &fetched.report;
        let refused = report.rejected.iter().take(crate::job::REFUSED_LISTED_MAX).filter_map(|row| {
            let (device_id, interval_start_datetime) = (row.device_id?, row.start?);
            Some(RefusedReading { device_id, interval_start_datetime, reason: row.reason.clone() })
        });
        let progress = Progress {
            done: if state == JobState::Running { 0 } else { report.rows },
            accepted: report.accepted,
            corrected: report.corrected,
            unchanged: report.unchanged,
            refused: refused.collect(),
            refused_total: report.rejected_total,
            error: fetched.fault.clone(),
            is_fetched: is_whole,
            ..Progress::default()
        };
        self.beside(Beside::NoteFetched { id, progress, state }).and_then(Pending::wait).map(drop)
    }
}

/// Half-hours of units that are devices' meters, in the order in which they are asked for.
struct HalfHourly<'r> {
    elexon: &'r Elexon,
    registry: &'r Registry,
    devices: HashMap<String, DeviceId>,
    units: Vec<String>,
    from: Timestamp,
    to: Timestamp,
}

impl Rows for HalfHourly<'_> {
    fn each<E>(self, sink: &mut dyn FnMut(Result<Reading, RowFault>) -> Result<(), E>) -> Result<(), InputFault<E>> {
        for ask in asks(&self.units, self.from, self.to) {
            let answer = self.elexon.half_hours(&ask, self.registry.now(), &|| self.registry.is_closing());
            let half_hours =
                answer.map_err(|fault| InputFault::Bad { field: "the source".to_owned(), rule: fault.to_string() })?;
            for half_hour in half_hours.found {
                let device_id = self.devices[&half_hour.unit];
                let interval = Interval::new(half_hour.start, half_hour.end).expect("half an hour is not empty");
                let (gross_net, quality) = (GrossNet::Net, Quality::Measured);
                let reading = Reading { device_id, interval, energy_wh: half_hour.energy_wh, gross_net, quality };
                sink(Ok(reading)).map_err(InputFault::Sink)?;
            }
            for lack in half_hours.lacks {
                sink(Err(told(&lack, self.devices[&lack.unit]))).map_err(InputFault::Sink)?;
            }
        }
        Ok(())
    }
}

fn told(lack: &Lack, device: DeviceId) -> RowFault {
    let rule = format!("{} until {}: {}", lack.unit, lack.end, lack.why);
    RowFault { field: "unit", rule, device_id: Some(device.0), start: Some(lack.start) }
}
