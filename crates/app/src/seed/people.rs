//! The seed's users, accounts, devices and issuance metadata, and who belongs where. All of them are held: there are few.

use super::report::SeedTable;
use super::{CHUNK_ROWS_MAX, Import, SeedError, text};
use domain::action::{ImportSeed, SeedDevice};
use domain::device::POWER_WATTS_MAX;
use domain::text::TEXT_CHARS_MAX;
use domain::{
    Account, AccountId, DeviceDescription, DeviceId, DeviceKind, IssuanceMetadata, MetadataDescription, MetadataId,
    User, UserId,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeSet, HashSet};
use store::seed::{AccountRow, DeviceRow, LinkRow, MetadataRow, Seed, UserRow};

const UNKNOWN: &str = "unknown";

/// A row on its way: as it would be adopted, or why it is not.
struct Draft<T> {
    id: i64,
    row: Result<T, Gone>,
    repairs: Vec<String>,
}

enum Gone {
    Refused(String),
    LeftOut(&'static str),
}

/// The rows as they were read, and the lists that stand in them.
pub(super) struct Read {
    users: Vec<(Draft<User>, Vec<i64>)>,
    /// Each with its users and with whom it accepts from.
    accounts: Vec<(Draft<Account>, Vec<i64>, Vec<i64>)>,
    devices: Vec<Draft<SeedDevice>>,
    metadata: Vec<Draft<IssuanceMetadata>>,
    members: Vec<LinkRow>,
    senders: Vec<LinkRow>,
}

impl Read {
    pub(super) fn all(seed: &mut Seed, now: Timestamp) -> Result<Self, SeedError> {
        let used = (seed.used("account_id")?, seed.used("device_id")?);
        let mut read = Self {
            users: Vec::new(),
            accounts: Vec::new(),
            devices: Vec::new(),
            metadata: Vec::new(),
            members: Vec::new(),
            senders: Vec::new(),
        };
        let mut homes: HashSet<i64> = used.0.into_iter().collect();
        let devices: HashSet<i64> = used.1.into_iter().collect();
        seed.users(|row| -> Result<(), SeedError> {
            read.users.push(user_of(&row, now));
            Ok(())
        })?;
        seed.devices(|row| -> Result<(), SeedError> {
            let is_gone = row.is_deleted && !devices.contains(&row.id);
            homes.extend(row.account_id.filter(|_| !is_gone));
            read.devices.push(device_of(&row, is_gone, now));
            Ok(())
        })?;
        seed.accounts(|row| -> Result<(), SeedError> {
            let is_gone = row.is_deleted && !homes.contains(&row.id);
            read.accounts.push(account_of(&row, is_gone, now));
            Ok(())
        })?;
        seed.metadata(|row| -> Result<(), SeedError> {
            read.metadata.push(metadata_of(&row, now));
            Ok(())
        })?;
        seed.members(|row| -> Result<(), SeedError> {
            read.members.push(row);
            Ok(())
        })?;
        seed.senders(|row| -> Result<(), SeedError> {
            read.senders.push(row);
            Ok(())
        })?;
        Ok(read)
    }

    /// The lowest id of a user that would be taken over.
    pub(super) fn first_user(&self) -> Option<UserId> {
        self.users.iter().filter_map(|(draft, _)| draft.row.as_ref().ok()).map(|user| user.id).min()
    }

    pub(super) fn contacts(&self) -> Vec<String> {
        let users = self.users.iter().filter_map(|(draft, _)| draft.row.as_ref().ok());
        users.map(|user| user.primary_contact.clone()).collect()
    }
}

fn user_of(row: &UserRow, now: Timestamp) -> (Draft<User>, Vec<i64>) {
    let mut repairs = Vec::new();
    let user = User {
        id: UserId(row.id),
        name: text::text("name", row.name.as_deref(), &format!("User {}", row.id), &mut repairs),
        primary_contact: text::text(
            "primary_contact",
            row.primary_contact.as_deref(),
            &format!("user-{}", row.id),
            &mut repairs,
        ),
        roles: text::roles(row.roles.as_deref(), &mut repairs),
        organisation: text::optional_text("organisation", row.organisation.as_deref(), &mut repairs),
        is_deleted: false,
        created_at: created(row.created_at, now, &mut repairs),
    };
    let row_now = if row.is_deleted { Err(Gone::LeftOut("it is deleted")) } else { Ok(user) };
    (Draft { id: row.id, row: row_now, repairs }, text::ids(row.account_ids.as_deref()))
}

fn account_of(row: &AccountRow, is_gone: bool, now: Timestamp) -> (Draft<Account>, Vec<i64>, Vec<i64>) {
    let mut repairs = Vec::new();
    let account = Account {
        id: AccountId(row.id),
        name: text::text("account_name", row.name.as_deref(), &format!("Account {}", row.id), &mut repairs),
        organisation_id: None,
        is_deleted: false,
        created_at: created(row.created_at, now, &mut repairs),
    };
    if row.is_deleted {
        repairs.push("it is deleted and holds bundles or has devices: it stands again".to_owned());
    }
    let row_now = if is_gone { Err(Gone::LeftOut("it is deleted")) } else { Ok(account) };
    let lists = (text::ids(row.user_ids.as_deref()), text::ids(row.whitelist.as_deref()));
    (Draft { id: row.id, row: row_now, repairs }, lists.0, lists.1)
}

fn device_of(row: &DeviceRow, is_gone: bool, now: Timestamp) -> Draft<SeedDevice> {
    let mut repairs = Vec::new();
    let made = if is_gone { Err(Gone::LeftOut("it is deleted")) } else { described(row, now, &mut repairs) };
    if row.is_deleted {
        repairs.push("it is deleted and has bundles: it stands again".to_owned());
    }
    Draft { id: row.id, row: made, repairs }
}

fn described(row: &DeviceRow, now: Timestamp, repairs: &mut Vec<String>) -> Result<SeedDevice, Gone> {
    let refused = |text: &str| Gone::Refused(text.to_owned());
    let watts = |value: Option<i64>| value.and_then(|w| u64::try_from(w).ok()).filter(|w| *w <= POWER_WATTS_MAX);
    let account_id = AccountId(row.account_id.ok_or_else(|| refused("account_id is missing"))?);
    let capacity = watts(text::whole("capacity", row.capacity.as_deref(), repairs));
    let peak = row.peak_demand.as_deref().map_or(Some(0), |raw| text::whole("peak_demand", Some(raw), repairs));
    let operational_date = text::instant(row.operational_date).unwrap_or_else(|| {
        repairs.push("operational_date is missing: 1970-01-01".to_owned());
        Timestamp::UNIX_EPOCH
    });
    let description = DeviceDescription {
        name: text::text("device_name", row.name.as_deref(), &format!("Device {}", row.id), repairs),
        grid: text::text("grid", row.grid.as_deref(), UNKNOWN, repairs),
        energy_source: text::energy_source(row.energy_source.as_deref(), repairs),
        technology_type: text::text("technology_type", row.technology_type.as_deref(), UNKNOWN, repairs),
        operational_date,
        capacity_watts: capacity.ok_or_else(|| refused("capacity is not a number of W"))?,
        peak_demand_watts: watts(peak).ok_or_else(|| refused("peak_demand is not a number of W"))?,
        location: text::text("location", row.location.as_deref(), UNKNOWN, repairs),
        meter_data_id: text::optional_text("meter_data_id", row.meter_data_id.as_deref(), repairs),
        kind: if row.is_storage { DeviceKind::Storage } else { DeviceKind::Production },
    };
    let created_at = created(row.created_at, now, repairs);
    Ok(SeedDevice { id: DeviceId(row.id), account_id, description, created_at })
}

fn metadata_of(row: &MetadataRow, now: Timestamp) -> Draft<IssuanceMetadata> {
    let mut repairs = Vec::new();
    let [country, grid, body, zone] = &row.required;
    let mut required = |field, raw: &Option<String>| text::text(field, raw.as_deref(), UNKNOWN, &mut repairs);
    let country_of_issuance = required("country_of_issuance", country);
    let connected_grid_identification = required("connected_grid_identification", grid);
    let issuing_body = required("issuing_body", body);
    let issue_market_zone = required("issue_market_zone", zone);
    let [legal, purpose, support, quality, level] = &row.optional;
    let mut optional = |field, raw: &Option<String>| text::optional_text(field, raw.as_deref(), &mut repairs);
    let description = MetadataDescription {
        country_of_issuance,
        connected_grid_identification,
        issuing_body,
        issue_market_zone,
        legal_status: optional("legal_status", legal),
        issuance_purpose: optional("issuance_purpose", purpose),
        support_received: optional("support_received", support),
        quality_scheme_reference: optional("quality_scheme_reference", quality),
        dissemination_level: optional("dissemination_level", level),
    };
    let created_at = created(row.created_at, now, &mut repairs);
    Draft { id: row.id, row: Ok(IssuanceMetadata { id: MetadataId(row.id), description, created_at }), repairs }
}

fn created(micros: Option<i64>, now: Timestamp, repairs: &mut Vec<String>) -> Timestamp {
    text::instant(micros).filter(|at| *at <= now).unwrap_or_else(|| {
        repairs.push(format!("created_at is missing or in the future: {now}"));
        now
    })
}

impl Import<'_> {
    pub(super) fn people(&mut self, read: Read, taken: Vec<String>) -> Result<(), SeedError> {
        let Read { mut users, mut accounts, mut devices, mut metadata, members, senders } = read;
        let drafts = users.iter_mut().map(|(draft, _)| draft);
        make_unique("primary_contact", drafts, taken, |user| &mut user.primary_contact);
        make_unique("account_name", accounts.iter_mut().map(|(draft, ..)| draft), Vec::new(), |a| &mut a.name);

        self.adopt(SeedTable::Users, users.iter_mut().map(|(draft, _)| draft).collect(), ImportSeed::Users)?;
        self.adopt(SeedTable::Accounts, accounts.iter_mut().map(|(draft, ..)| draft).collect(), ImportSeed::Accounts)?;
        let adopted = users.iter().filter_map(|(draft, _)| draft.row.as_ref().ok());
        self.known.users = adopted.map(|user| user.id).collect();
        let adopted = accounts.iter().filter_map(|(draft, ..)| draft.row.as_ref().ok());
        self.known.accounts = adopted.map(|account| (account.id, account.name.clone())).collect();
        self.links(&mut users, &mut accounts, &members, &senders)?;
        self.tell(SeedTable::Users, users.iter().map(|(draft, _)| draft));
        self.tell(SeedTable::Accounts, accounts.iter().map(|(draft, ..)| draft));

        for draft in &mut devices {
            let home = draft.row.as_ref().ok().map(|device| device.account_id);
            if let Some(home) = home.filter(|home| !self.known.accounts.contains_key(home)) {
                draft.row = Err(Gone::Refused(format!("account {home} was not taken over")));
            }
        }
        self.adopt(SeedTable::Devices, devices.iter_mut().collect(), ImportSeed::Devices)?;
        self.tell(SeedTable::Devices, devices.iter());
        self.known.devices = devices.iter().filter_map(|draft| Some(draft.row.as_ref().ok()?.id)).collect();
        self.adopt(SeedTable::Metadata, metadata.iter_mut().collect(), ImportSeed::Metadata)?;
        self.tell(SeedTable::Metadata, metadata.iter());
        Ok(())
    }

    /// Has the ledger decide the rows that are left; what it refuses is refused in its draft.
    fn adopt<T: Clone>(
        &mut self,
        table: SeedTable,
        mut drafts: Vec<&mut Draft<T>>,
        command: fn(Vec<T>) -> ImportSeed,
    ) -> Result<(), SeedError> {
        drafts.retain(|draft| draft.row.is_ok());
        for chunk in drafts.chunks_mut(CHUNK_ROWS_MAX) {
            let rows: Vec<T> = chunk.iter().filter_map(|draft| draft.row.as_ref().ok().cloned()).collect();
            let (count, first) = (rows.len(), chunk.first().map(|draft| draft.id));
            let outcome = self.submit(command(rows), count, &json!({ "table": table.name(), "first": first }))?;
            for refused in outcome.refused {
                if let Some(draft) = chunk.get_mut(refused.place) {
                    draft.row = Err(Gone::Refused(refused.refusal.to_string()));
                }
            }
        }
        Ok(())
    }

    fn tell<'d, T: 'd>(&mut self, table: SeedTable, drafts: impl Iterator<Item = &'d Draft<T>>) {
        for draft in drafts {
            let id = draft.id.to_string();
            self.tally.read(table);
            match &draft.row {
                Ok(_) => self.tally.imported(table, &id, &draft.repairs),
                Err(Gone::Refused(reason)) => self.tally.refused(table, &id, reason),
                Err(Gone::LeftOut(reason)) => self.tally.left_out(table, &id, reason),
            }
        }
    }

    /// Who belongs where, and who accepts from whom: from the tables of links and from the lists in the rows.
    fn links(
        &mut self,
        users: &mut [(Draft<User>, Vec<i64>)],
        accounts: &mut [(Draft<Account>, Vec<i64>, Vec<i64>)],
        members: &[LinkRow],
        senders: &[LinkRow],
    ) -> Result<(), SeedError> {
        let (mut belong, mut accept) = (BTreeSet::new(), BTreeSet::new());
        for link in members {
            let known = |user, account| {
                self.known.users.contains(&UserId(user)) && self.known.accounts.contains_key(&AccountId(account))
            };
            let pair = link.first.zip(link.second).filter(|(user, account)| known(*user, *account));
            self.link(SeedTable::Members, link, pair, "user", "account", &mut belong);
        }
        for link in senders {
            let known = |id| self.known.accounts.contains_key(&AccountId(id));
            let pair = link.first.zip(link.second).filter(|(to, from)| known(*to) && known(*from) && to != from);
            self.link(SeedTable::Senders, link, pair, "account", "from account", &mut accept);
        }
        for (draft, list) in users {
            for account in list.iter().filter(|_| draft.row.is_ok()) {
                if self.known.accounts.contains_key(&AccountId(*account)) {
                    belong.insert((draft.id, *account));
                } else {
                    draft.repairs.push(format!("account_ids names account {account}, which was not taken over"));
                }
            }
        }
        for (draft, users, whitelist) in accounts.iter_mut().filter(|(draft, ..)| draft.row.is_ok()) {
            for user in users.iter() {
                if self.known.users.contains(&UserId(*user)) {
                    belong.insert((*user, draft.id));
                } else {
                    draft.repairs.push(format!("user_ids names user {user}, who was not taken over"));
                }
            }
            for sender in whitelist.iter() {
                if *sender == draft.id {
                    draft.repairs.push("account_whitelist names the account itself, which was left out".to_owned());
                } else if self.known.accounts.contains_key(&AccountId(*sender)) {
                    accept.insert((draft.id, *sender));
                } else {
                    draft.repairs.push(format!("account_whitelist names account {sender}, which was not taken over"));
                }
            }
        }
        let belong: Vec<_> = belong.into_iter().map(|(user, account)| (UserId(user), AccountId(account))).collect();
        for chunk in belong.chunks(CHUNK_ROWS_MAX) {
            self.submit(
                ImportSeed::Members(chunk.to_vec()),
                chunk.len(),
                &json!({ "table": SeedTable::Members.name() }),
            )?;
        }
        let accept: Vec<_> = accept.into_iter().map(|(to, from)| (AccountId(to), AccountId(from))).collect();
        for chunk in accept.chunks(CHUNK_ROWS_MAX) {
            self.submit(
                ImportSeed::Senders(chunk.to_vec()),
                chunk.len(),
                &json!({ "table": SeedTable::Senders.name() }),
            )?;
        }
        Ok(())
    }

    /// Takes a link over if it has a pair.
    fn link(
        &mut self,
        table: SeedTable,
        link: &LinkRow,
        pair: Option<(i64, i64)>,
        first: &str,
        second: &str,
        into: &mut BTreeSet<(i64, i64)>,
    ) {
        let id = |id: Option<i64>| id.map_or("nothing".to_owned(), |id| id.to_string());
        let row = format!("{first} {}, {second} {}", id(link.first), id(link.second));
        self.tally.read(table);
        match pair {
            _ if link.is_deleted => self.tally.left_out(table, &row, "it is deleted"),
            None => self.tally.refused(table, &row, "what it names was not taken over, or is the account itself"),
            Some(pair) => {
                into.insert(pair);
                self.tally.imported(table, &row, &[]);
            }
        }
    }
}

/// Gives a value that another row has, or that is taken, the row's id behind it.
fn make_unique<'d, T: 'd>(
    field: &str,
    drafts: impl Iterator<Item = &'d mut Draft<T>>,
    taken: Vec<String>,
    value: fn(&mut T) -> &mut String,
) {
    let mut seen: HashSet<String> = taken.into_iter().collect();
    for draft in drafts {
        let Ok(row) = &mut draft.row else { continue };
        let value = value(row);
        if seen.insert(value.clone()) {
            continue;
        }
        let was = value.clone();
        let room = TEXT_CHARS_MAX - 24;
        *value = format!("{} #{}", was.chars().take(room).collect::<String>(), draft.id);
        draft.repairs.push(format!("{field} {was:?} is another's: {value:?}"));
        seen.insert(value.clone());
    }
}
