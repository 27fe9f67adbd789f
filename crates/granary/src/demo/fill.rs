//! Filling an empty registry with the demonstration: registrations, readings, certificates, movements.

mod battery;
mod order;

use super::data::{Data, Metadata, Movement, MovementKind, User, midnight};
use crate::console::{Progress, Unit, grouped};
use crate::failure::Failure;
use crate::issue::follow;
use crate::registry::operator;
use app::{BundleQuery, Caller, Credentials, Error, Format, IssueRequest, JobState, Period, Registry, ZoneOfTimes};
use domain::action::{BundleAction, Deed, NewAccount, NewDevice, Portion, WhitelistUpdate};
use domain::{
    AccountId, Actor, BundleStatus, Command, DeviceDescription, DeviceId, DeviceKind, MetadataDescription, MetadataId,
    OrganisationDescription, OrganisationId, Outcome, Ratio, Refusal, Role, Roles, UserId,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What was made so far, by the names of the file.
struct Filling<'f> {
    registry: &'f Registry,
    data: &'f Data,
    password: &'f str,
    organisations: HashMap<&'f str, OrganisationId>,
    accounts: HashMap<&'f str, AccountId>,
    users: HashMap<&'f str, UserId>,
    devices: Vec<DeviceId>,
    /// When the first reading begins, and the last one ends.
    from: Timestamp,
    to: Timestamp,
}

/// Fills an empty registry; says what was made. `days` of readings end with yesterday.
pub(super) fn fill(registry: &Registry, data: &Data, days: u16, password: &str) -> Result<String, Failure> {
    let to = midnight(registry.now());
    let from = to - DAY * i32::from(days);
    let mut filling = Filling {
        registry,
        data,
        password,
        organisations: HashMap::new(),
        accounts: HashMap::new(),
        users: HashMap::new(),
        devices: Vec::new(),
        from,
        to,
    };
    filling.register()?;
    let metadata = filling.metadata()?;
    let readings = filling.readings(from, u32::from(days) * 24)?;
    let issued = filling.issue(metadata, from, to)?;
    let mut moved = 0;
    for movement in &data.registry.movements {
        moved += filling.movement(movement, to)?;
    }
    let recorded = filling.storage()?;
    filling.corrections()?;
    filling.order()?;
    // The last user comes when everything is in place: that is how a filling that was interrupted is recognised.
    let last =
        data.registry.users.last().ok_or_else(|| Failure::Refused("the demonstration has no users".to_owned()))?;
    filling.user(last)?;
    let (readings, issued, recorded) = (grouped(readings), grouped(issued), grouped(recorded));
    Ok(format!("{readings} readings, {issued} certificate bundles, {moved} movements, {recorded} storage records"))
}

impl<'f> Filling<'f> {
    fn act(&self, actor: Actor, command: Command) -> Result<Outcome, Failure> {
        let request = serde_json::json!({ "origin": "granary demo" }).to_string();
        Ok(self.registry.submit_as(actor, command, request)?.wait()?.outcome())
    }

    fn register(&mut self) -> Result<(), Failure> {
        let described = &self.data.registry;
        for organisation in &described.organisations {
            let description = OrganisationDescription {
                name: organisation.name.clone(),
                business_id: organisation.business_id.clone(),
                primary_contact: organisation.primary_contact.clone(),
                address: organisation.address.clone(),
                website: organisation.website.clone(),
            };
            let Outcome::Organisation(id) = self.act(Actor::Operator, Command::CreateOrganisation(description))? else {
                unreachable!("creating an organisation answers with its id");
            };
            self.organisations.insert(&organisation.name, id);
        }
        for account in &described.accounts {
            let new = NewAccount {
                name: account.name.clone(),
                organisation_id: self.organisations.get(account.organisation.as_str()).copied(),
                user_ids: Vec::new(),
                whitelist: Vec::new(),
            };
            let Outcome::Account(id) = self.act(Actor::Operator, Command::CreateAccount(new))? else {
                unreachable!("creating an account answers with its id");
            };
            self.accounts.insert(&account.name, id);
        }
        for account in described.accounts.iter().filter(|account| !account.whitelist.is_empty()) {
            let add = account.whitelist.iter().map(|name| self.accounts[name.as_str()]).collect();
            let update = WhitelistUpdate { account_id: self.accounts[account.name.as_str()], add, remove: Vec::new() };
            self.act(Actor::Operator, Command::UpdateWhitelist(update))?;
        }
        for user in described.users.iter().rev().skip(1).rev() {
            self.user(user)?;
        }
        self.register_devices()
    }

    fn user(&mut self, user: &'f User) -> Result<(), Failure> {
        let accounts: Vec<_> = user.accounts.iter().map(|name| self.accounts[name.as_str()]).collect();
        let id = self.registry.create_user_as_operator(
            &user.name,
            &user.primary_contact,
            Roles::of(&user.roles),
            Some(&user.organisation),
            &accounts,
            self.password,
        )?;
        self.users.insert(&user.primary_contact, id);
        Ok(())
    }

    fn register_devices(&mut self) -> Result<(), Failure> {
        for device in &self.data.registry.devices {
            let description = DeviceDescription {
                name: device.name.clone(),
                grid: device.grid.clone(),
                energy_source: device.energy_source,
                technology_type: device.technology_type.clone(),
                // A battery's first efficiency factor is of its first months: this one is as old as its readings.
                operational_date: match device.kind {
                    DeviceKind::Storage => device.operational_date.max(self.from),
                    DeviceKind::Production | DeviceKind::Consumption => device.operational_date,
                },
                capacity_watts: device.capacity,
                peak_demand_watts: device.peak_demand,
                location: device.place.clone(),
                meter_data_id: Some(device.meter_data_id.clone()),
                kind: device.kind,
            };
            let new = NewDevice { account_id: self.accounts[device.account.as_str()], description };
            let Outcome::Device(id) = self.act(Actor::Operator, Command::CreateDevice(new))? else {
                unreachable!("creating a device answers with its id");
            };
            let registrar = self.holder_of(Role::ProductionRegistrar);
            self.act(Actor::User(registrar), Command::ApproveDevice(id))?;
            self.devices.push(id);
        }
        Ok(())
    }

    /// The user with the fewest roles who has this one: the one it is the work of.
    fn holder_of(&self, role: Role) -> UserId {
        let users = self.data.registry.users.iter().filter(|user| user.roles.contains(&role));
        let users = users.filter_map(|user| Some((user.roles.len(), *self.users.get(user.primary_contact.as_str())?)));
        users.min().map(|(_, id)| id).expect("the first user of the demonstration holds every role")
    }

    /// The user with the fewest roles who trades in an account.
    fn trader_of(&self, account: &str) -> UserId {
        let trades =
            |user: &&User| user.roles.contains(&Role::TradingUser) && user.accounts.iter().any(|name| name == account);
        let users = self.data.registry.users.iter().filter(trades);
        let users = users.filter_map(|user| Some((user.roles.len(), *self.users.get(user.primary_contact.as_str())?)));
        users.min().map(|(_, id)| id).expect("the first user of the demonstration belongs to every account")
    }

    fn metadata(&self) -> Result<MetadataId, Failure> {
        let mut first = None;
        for metadata in &self.data.registry.issuance_metadata {
            let Outcome::Metadata(id) = self.act(Actor::Operator, Command::CreateMetadata(description_of(metadata)))?
            else {
                unreachable!("creating metadata answers with its id");
            };
            first.get_or_insert(id);
        }
        Ok(first.expect("the demonstration has issuance metadata"))
    }

    fn readings(&self, from: Timestamp, hours: u32) -> Result<u64, Failure> {
        let body = Actor::User(self.holder_of(Role::MeasurementBody));
        let total = u64::from(hours) * u64::try_from(self.devices.len()).unwrap_or(0);
        let mut bar = Progress::start("submitting", total, Unit::Things("readings"));
        let input = self.data.readings(from, hours, |index| self.devices[index].0);
        let zone = ZoneOfTimes::default();
        let report =
            self.registry.submit_readings_as(body, input, Format::Csv, &zone, &mut |rows| bar.at(rows, total))?;
        if let Some(rejected) = report.rejected.first() {
            return Err(Failure::Refused(format!("a reading of the demonstration: {}", rejected.reason)));
        }
        Ok(report.accepted)
    }

    /// Issues for all production devices, as the issuer does.
    fn issue(&self, metadata_id: MetadataId, from: Timestamp, to: Timestamp) -> Result<u64, Failure> {
        let request = IssueRequest { metadata_id, from, to, device_ids: Vec::new() };
        let id = self.registry.issue(&self.issuer()?, request)?;
        let job = follow(self.registry, id)?;
        if job.state == JobState::Done {
            return Ok(job.progress.issued);
        }
        let why = job.progress.error.unwrap_or_else(|| "the job did not end".to_owned());
        Err(Failure::Refused(format!("the certificates of the demonstration: {why}")))
    }

    fn issuer(&self) -> Result<Caller, Failure> {
        let id = self.holder_of(Role::GcIssuer);
        let (name, _) = self.users.iter().find(|(_, user)| **user == id).expect("the issuer is one of the users");
        let credentials = Credentials {
            name: (*name).to_owned(),
            password: self.password.to_owned(),
            address: "granary demo".to_owned(),
        };
        let signed_in = self.registry.sign_in(&credentials)?;
        Ok(self.registry.authenticate(&signed_in.token)?)
    }

    /// Makes one movement; says whether there was something to move: 1 or 0. `today` is the day after yesterday.
    fn movement(&self, movement: &Movement, today: Timestamp) -> Result<u64, Failure> {
        let day = today - DAY - SignedDuration::from_hours(24 * movement.days_before_yesterday);
        let start = day + SignedDuration::from_hours(movement.hour_first);
        let place = self.data.registry.devices.iter().position(|device| device.name == movement.device);
        let source = self.accounts[movement.from.as_str()];
        let query = BundleQuery {
            account: source,
            device: Some(self.devices[place.expect("a movement names a device of the file")]),
            energy_sources: Vec::new(),
            period: Period { start: Some(start), end: Some(start + SignedDuration::from_hours(movement.hours)) },
            status: Some(BundleStatus::Active),
            issuance_ids: None,
            range_first: None,
            range_last: None,
            limit: None,
            after: None,
        };
        let found = self.registry.query(&operator(), &query, None)?.bundles;
        if found.is_empty() {
            return Ok(0);
        }
        let share = Ratio::parse(&movement.share).expect("a movement's share is a decimal");
        let action = BundleAction {
            source,
            bundles: found.iter().map(|view| view.bundle.id).collect(),
            portion: Portion::Share(share),
            deed: self.deed(movement),
        };
        match self.act(Actor::User(self.users[movement.by.as_str()]), Command::Bundles(action)) {
            Ok(_) => Ok(1),
            Err(Failure::Registry(Error::Refused(Refusal::NothingPicked))) => Ok(0),
            Err(failure) => Err(failure),
        }
    }

    fn deed(&self, movement: &Movement) -> Deed {
        let account = |name: &Option<String>| name.as_deref().map(|name| self.accounts[name]);
        match movement.kind {
            MovementKind::Transfer => {
                Deed::Transfer { target: account(&movement.to).expect("a transfer of the file names its target") }
            }
            MovementKind::Cancel => Deed::Cancel {
                beneficiary: movement.beneficiary.clone(),
                beneficiary_account: account(&movement.beneficiary_account),
                purpose: movement.purpose.clone(),
            },
        }
    }
}

fn description_of(metadata: &Metadata) -> MetadataDescription {
    MetadataDescription {
        country_of_issuance: metadata.country_of_issuance.clone(),
        connected_grid_identification: metadata.connected_grid_identification.clone(),
        issuing_body: metadata.issuing_body.clone(),
        issue_market_zone: metadata.issue_market_zone.clone(),
        legal_status: metadata.legal_status.clone(),
        issuance_purpose: metadata.issuance_purpose.clone(),
        support_received: metadata.support_received.clone(),
        quality_scheme_reference: metadata.quality_scheme_reference.clone(),
        dissemination_level: metadata.dissemination_level.clone(),
    }
}
