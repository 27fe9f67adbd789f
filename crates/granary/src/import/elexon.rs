//! `granary import elexon`: metered half-hours of British units, as the operator; also devices for units that have none yet.

use super::told;
use crate::cli;
use crate::console::{self, Progress, Unit};
use crate::failure::{Failure, Verdict};
use crate::issue::instant;
use crate::registry;
use crate::settings::Settings;
use app::{Capacity, ElexonRequest, Registry};
use domain::action::NewDevice;
use domain::{AccountId, Actor, Command, DeviceDescription, DeviceKind, EnergySource, Refusal};
use jiff::Timestamp;

/// What a unit draws at most is not published: a hundredth of what it delivers is taken.
const PEAK_DEMAND_PART: u64 = 100;
/// When a unit became operational is not published: whoever registers devices says it better.
const OPERATIONAL_SINCE: &str = "2015-01-01T00:00:00Z";

pub(crate) fn run(settings: &Settings, arguments: &cli::ImportElexon) -> Result<Verdict, Failure> {
    let request = ElexonRequest {
        from: instant("--from", &arguments.from)?,
        to: instant("--to", &arguments.to)?,
        units: arguments.units.clone(),
    };
    if request.to <= request.from {
        return Err(Failure::Argument { argument: "--to", rule: "must be after --from".to_owned() });
    }
    let fetched = registry::with(settings, |registry| {
        if let Some(account) = arguments.register_into {
            register(registry, AccountId(account), &request.units)?;
        }
        let mut bar = Progress::start("fetching", 0, Unit::Things("half-hours"));
        Ok(registry.import_elexon(&request, &mut |report| bar.at(report.rows, 0))?)
    })?;
    console::print(&told(&fetched.report))?;
    if let Some(fault) = fetched.fault {
        return Err(Failure::Refused(format!("{fault}. What is told above was taken")));
    }
    Ok(if fetched.report.rejected_total == 0 { Verdict::Done } else { Verdict::Findings })
}

/// Makes a device of each unit that is no device's meter. A unit whose capacity is not known makes none.
fn register(registry: &Registry, account_id: AccountId, units: &[String]) -> Result<(), Failure> {
    let capacities = registry.elexon_capacities(units)?;
    if let Some(missing) = units.iter().find(|unit| !capacities.iter().any(|capacity| capacity.unit == **unit)) {
        return Err(Failure::Refused(format!("no installed capacity of {missing} is published, so nothing was made")));
    }
    for capacity in &capacities {
        let command = Command::CreateDevice(NewDevice { account_id, description: described(capacity) });
        let request = serde_json::json!({ "origin": "granary import elexon", "unit": capacity.unit }).to_string();
        match registry.submit_as(Actor::Operator, command, request)?.wait() {
            // Its meter is a device's already.
            Ok(_) | Err(app::Error::Refused(Refusal::Taken { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn described(capacity: &Capacity) -> DeviceDescription {
    let resource = capacity.resource.as_deref().unwrap_or("Generation");
    DeviceDescription {
        name: capacity.name.clone().unwrap_or_else(|| capacity.unit.clone()),
        grid: "GB transmission".to_owned(),
        energy_source: energy_source_of(resource),
        technology_type: resource.to_owned(),
        operational_date: OPERATIONAL_SINCE.parse::<Timestamp>().expect("the date is written here"),
        capacity_watts: capacity.capacity_watts,
        peak_demand_watts: capacity.capacity_watts / PEAK_DEMAND_PART,
        location: "Great Britain".to_owned(),
        meter_data_id: Some(capacity.unit.clone()),
        kind: DeviceKind::Production,
    }
}

/// What the service calls a type of resource, as an energy source.
fn energy_source_of(resource: &str) -> EnergySource {
    match resource {
        "Wind Offshore" | "Wind Onshore" => EnergySource::Wind,
        "Solar" => EnergySource::SolarPv,
        "Biomass" => EnergySource::Biomass,
        "Nuclear" => EnergySource::Nuclear,
        "Fossil Gas" => EnergySource::Gas,
        "Fossil Oil" => EnergySource::Oil,
        "Fossil Hard coal" => EnergySource::Coal,
        "Hydro Run-of-river and poundage" | "Hydro Water Reservoir" => EnergySource::Hydro,
        _ => EnergySource::Other,
    }
}
