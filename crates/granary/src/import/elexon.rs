//! `granary import elexon`: metered half-hours of British units, as the operator; also devices for units that have none yet.

use super::told;
use crate::cli;
use crate::console::{self, Progress, Unit};
use crate::failure::{Failure, Verdict};
use crate::issue::instant;
use crate::registry;
use crate::settings::Settings;
use app::{Capacity, ElexonRequest, Paging, Registry};
use domain::action::{NewAccount, NewDevice};
use domain::{AccountId, Actor, Command, DeviceDescription, DeviceKind, EnergySource, Outcome, Refusal};
use jiff::Timestamp;

/// What a unit draws at most is not published: a hundredth of what it delivers is taken.
const PEAK_DEMAND_PART: u64 = 100;
/// When a unit became operational is not published: whoever registers devices says it better.
const OPERATIONAL_SINCE: &str = "2015-01-01T00:00:00Z";
const ACCOUNTS_A_PAGE: usize = 1_000;
/// What the log says of where devices and accounts come from.
const ORIGIN: &str = "granary import elexon";

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
        if let Some(account) = &arguments.register_into {
            register(registry, account, &request.units)?;
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
fn register(registry: &Registry, account: &str, units: &[String]) -> Result<(), Failure> {
    let capacities = registry.elexon_capacities(units)?;
    if let Some(missing) = units.iter().find(|unit| !capacities.iter().any(|capacity| capacity.unit == **unit)) {
        return Err(Failure::Refused(format!("no installed capacity of {missing} is published, so nothing was made")));
    }
    let account_id = match account.parse() {
        Ok(id) => AccountId(id),
        Err(_) => named(registry, account)?,
    };
    for capacity in &capacities {
        let command = Command::CreateDevice(NewDevice { account_id, description: described(capacity) });
        let request = serde_json::json!({ "origin": ORIGIN, "unit": capacity.unit }).to_string();
        match registry.submit_as(Actor::Operator, command, request)?.wait() {
            // Its meter is a device's already.
            Ok(_) | Err(app::Error::Refused(Refusal::Taken { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The account of this name, made if there is none.
fn named(registry: &Registry, name: &str) -> Result<AccountId, Failure> {
    let mut paging = Paging { after: None, limit: ACCOUNTS_A_PAGE };
    loop {
        let page = registry.accounts(&registry::operator(), false, paging, None)?;
        if let Some(found) = page.entries.iter().find(|view| view.account.name == name) {
            return Ok(found.account.id);
        }
        match page.next {
            Some(next) => paging.after = Some(next),
            None => break,
        }
    }
    let (user_ids, whitelist) = (Vec::new(), Vec::new());
    let new = NewAccount { name: name.to_owned(), organisation_id: None, user_ids, whitelist };
    let request = serde_json::json!({ "origin": ORIGIN, "name": name }).to_string();
    match registry.submit_as(Actor::Operator, Command::CreateAccount(new), request)?.wait()?.outcome() {
        Outcome::Account(id) => Ok(id),
        other => unreachable!("making an account gave {other:?}"),
    }
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
