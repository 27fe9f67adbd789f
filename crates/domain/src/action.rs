//! Commands and the one function that decides them. One file per action holds its rule, with its refusals in order.

mod account;
mod cancel;
mod claim;
mod create_bundle;
mod device;
mod edit;
mod expire;
mod issue;
mod lock;
mod measurement;
mod order_run;
mod organisation;
mod readings;
mod recurring_order;
mod register;
mod reserve;
mod seed;
mod selection;
mod storage;
mod sum;
mod transfer;
mod update_mutables;
mod user;
mod withdraw;

#[cfg(test)]
mod tests;

pub use account::{AccountUpdate, binds};
pub use claim::PURPOSE_STORAGE;
pub use create_bundle::{CreateBundle, CreatedBundle, Stated};
pub use device::{DeviceUpdate, KindUpdate};
pub use edit::Edit;
pub use issue::{IssueChunk, IssueOutcome, IssueRefused, Standing, StorageRecords, standing, standing_in_storage};
pub use measurement::{MeasurementUpdate, StatedPlace};
pub use organisation::OrganisationUpdate;
pub use readings::{READINGS_PER_EVENT_MAX, ReadingsOutcome, ReadingsRefused, SubmitReadings};
pub use register::{NewAccount, NewDevice, NewUser, WhitelistUpdate};
pub use seed::{Adopted, ImportSeed, SEED_ROWS_MAX, SeedBundle, SeedDevice, SeedFamily, SeedOutcome, SeedRefused};
pub use selection::{BUNDLES_PER_ACTION_MAX, BundleAction, BundleResult, Deed, Portion};
pub use storage::{Allocation, CreateScr, CreateSdr, Pick};
pub use sum::Hours;
pub use user::{RoleChange, UserUpdate};

use crate::device::vocabulary;
use crate::recurring_order::{OrderKind, OrderRun, OrderTerms};
use crate::{
    AccountId, Actor, BundleId, Change, Changes, DeviceId, Draw, MeasurementId, MetadataDescription, MetadataId,
    OrganisationDescription, OrganisationId, Ratio, RecurringOrder, RecurringOrderId, Refusal, Scr, ScrId, Sdr, SdrId,
    State, UserId, WattHours,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

vocabulary! {
    /// What was done; in the action, in its events and on the wire.
    ActionKind {
        CreateUser = 1 "create_user", CreateOrganisation = 2 "create_organisation", CreateAccount = 3 "create_account",
        UpdateWhitelist = 4 "update_whitelist", CreateDevice = 5 "create_device", ApproveDevice = 6 "approve_device",
        CreateMetadata = 7 "create_metadata", SubmitReadings = 8 "submit_readings", Issue = 9 "issue",
        Transfer = 10 "transfer", Cancel = 11 "cancel", Claim = 12 "claim", Reserve = 13 "reserve", Lock = 14 "lock",
        Unlock = 15 "unlock", Withdraw = 16 "withdraw", UpdateUser = 17 "update_user", ChangeRole = 18 "change_role",
        DeleteUser = 19 "delete_user", UpdateOrganisation = 20 "update_organisation",
        DeleteOrganisation = 21 "delete_organisation", UpdateAccount = 22 "update_account",
        DeleteAccount = 23 "delete_account", UpdateDevice = 24 "update_device", DeleteDevice = 25 "delete_device",
        UpdateMeasurement = 26 "update_measurement", DeleteMeasurement = 27 "delete_measurement",
        ReleaseHold = 28 "release_hold", CreateBundle = 29 "create", UpdateMutables = 30 "update_mutables",
        RecurringTransfer = 31 "recurring_transfer", RecurringCancel = 32 "recurring_cancel",
        EndOrder = 33 "end_recurring", ImportSeed = 34 "import_seed",
        Expire = 35 "expire", PauseOrder = 36 "pause_recurring", ResumeOrder = 37 "resume_recurring",
        RunOrder = 38 "run_recurring",
        CreateScr = 40 "create_scr", CreateSdr = 41 "create_sdr", WithdrawScr = 42 "withdraw_scr",
        WithdrawSdr = 43 "withdraw_sdr", IssueSdgc = 44 "issue_sdgc",
    }
}

/// Something that a user asks of the registry.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    CreateUser(NewUser),
    UpdateUser(UserUpdate),
    ChangeRole(RoleChange),
    DeleteUser(UserId),
    CreateOrganisation(OrganisationDescription),
    UpdateOrganisation(OrganisationUpdate),
    DeleteOrganisation(OrganisationId),
    CreateAccount(NewAccount),
    UpdateAccount(AccountUpdate),
    UpdateWhitelist(WhitelistUpdate),
    DeleteAccount(AccountId),
    CreateDevice(NewDevice),
    UpdateDevice(DeviceUpdate),
    ApproveDevice(DeviceId),
    DeleteDevice(DeviceId),
    CreateMetadata(MetadataDescription),
    SubmitReadings(SubmitReadings),
    UpdateMeasurement(MeasurementUpdate),
    DeleteMeasurement(MeasurementId),
    ReleaseHold {
        measurement: MeasurementId,
        reason: String,
    },
    Issue(IssueChunk),
    CreateBundle(CreateBundle),
    Bundles(BundleAction),
    ImportSeed(ImportSeed),
    PlaceOrder(OrderTerms),
    EndOrder(RecurringOrderId),
    PauseOrder(RecurringOrderId),
    ResumeOrder(RecurringOrderId),
    /// The registry's own, in the name of who ordered it.
    RunOrder(OrderRun),
    /// The registry's own: those of these bundles whose time has come are Expired.
    Expire(Vec<BundleId>),
    CreateScr(CreateScr),
    CreateSdr(CreateSdr),
    WithdrawScr(ScrId),
    WithdrawSdr(SdrId),
    IssueSdgc(SdrId),
}

impl Command {
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::CreateUser(_) => ActionKind::CreateUser,
            Self::UpdateUser(_) => ActionKind::UpdateUser,
            Self::ChangeRole(_) => ActionKind::ChangeRole,
            Self::DeleteUser(_) => ActionKind::DeleteUser,
            Self::CreateOrganisation(_) => ActionKind::CreateOrganisation,
            Self::UpdateOrganisation(_) => ActionKind::UpdateOrganisation,
            Self::DeleteOrganisation(_) => ActionKind::DeleteOrganisation,
            Self::CreateAccount(_) => ActionKind::CreateAccount,
            Self::UpdateAccount(_) => ActionKind::UpdateAccount,
            Self::DeleteAccount(_) => ActionKind::DeleteAccount,
            Self::UpdateWhitelist(_) => ActionKind::UpdateWhitelist,
            Self::CreateDevice(_) => ActionKind::CreateDevice,
            Self::UpdateDevice(_) => ActionKind::UpdateDevice,
            Self::ApproveDevice(_) => ActionKind::ApproveDevice,
            Self::DeleteDevice(_) => ActionKind::DeleteDevice,
            Self::CreateMetadata(_) => ActionKind::CreateMetadata,
            Self::SubmitReadings(_) => ActionKind::SubmitReadings,
            Self::UpdateMeasurement(_) => ActionKind::UpdateMeasurement,
            Self::DeleteMeasurement(_) => ActionKind::DeleteMeasurement,
            Self::ReleaseHold { .. } => ActionKind::ReleaseHold,
            Self::Issue(_) => ActionKind::Issue,
            Self::CreateBundle(_) => ActionKind::CreateBundle,
            Self::ImportSeed(_) => ActionKind::ImportSeed,
            Self::PlaceOrder(terms) => match terms.deed.kind() {
                OrderKind::Transfer => ActionKind::RecurringTransfer,
                OrderKind::Cancel => ActionKind::RecurringCancel,
            },
            Self::EndOrder(_) => ActionKind::EndOrder,
            Self::PauseOrder(_) => ActionKind::PauseOrder,
            Self::ResumeOrder(_) => ActionKind::ResumeOrder,
            Self::RunOrder(_) => ActionKind::RunOrder,
            Self::Expire(_) => ActionKind::Expire,
            Self::CreateScr(_) => ActionKind::CreateScr,
            Self::CreateSdr(_) => ActionKind::CreateSdr,
            Self::WithdrawScr(_) => ActionKind::WithdrawScr,
            Self::WithdrawSdr(_) => ActionKind::WithdrawSdr,
            Self::IssueSdgc(_) => ActionKind::IssueSdgc,
            Self::Bundles(action) => match action.deed {
                Deed::Transfer { .. } => ActionKind::Transfer,
                Deed::Cancel { .. } => ActionKind::Cancel,
                Deed::Claim => ActionKind::Claim,
                Deed::Reserve { .. } => ActionKind::Reserve,
                Deed::Lock { .. } => ActionKind::Lock,
                Deed::Unlock { .. } => ActionKind::Unlock,
                Deed::Withdraw { .. } => ActionKind::Withdraw,
                Deed::UpdateMutables { .. } => ActionKind::UpdateMutables,
            },
        }
    }
}

impl Command {
    /// What an action is that made these changes: a run that did what was ordered is a transfer or a cancellation like any
    /// other. One that was refused changed the order alone, and is a run.
    pub fn kind_of_action(&self, changes: &[Change]) -> ActionKind {
        match self {
            Self::RunOrder(run) if changes.len() > 1 => match run.terms.deed.kind() {
                OrderKind::Transfer => ActionKind::Transfer,
                OrderKind::Cancel => ActionKind::Cancel,
            },
            other => other.kind(),
        }
    }
}

/// What came of a command that was not refused. Can be put on record as JSON, apart from what only chunks of jobs come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    User(UserId),
    Organisation(OrganisationId),
    Account(AccountId),
    Device(DeviceId),
    Metadata(MetadataId),
    Readings(ReadingsOutcome),
    /// The version that counts now, or the reading that was deleted.
    Measurement(MeasurementId),
    #[serde(skip)]
    Issue(IssueOutcome),
    Created(Box<CreatedBundle>),
    #[serde(skip)]
    Seed(SeedOutcome),
    /// The order as it is afterwards.
    Order(Box<RecurringOrder>),
    /// A run of an order: what was done, or why nothing was. The order is as it is afterwards.
    #[serde(skip)]
    Ran {
        order: Box<RecurringOrder>,
        done: Result<WattHours, Box<Refusal>>,
    },
    /// How many bundles became Expired.
    Expired(usize),
    /// The record as it is afterwards.
    Scr(Box<Scr>),
    /// The record as it is afterwards, and what it draws or drew.
    Sdr {
        sdr: Box<Sdr>,
        draws: Vec<Draw>,
    },
    /// Every bundle made or changed, and the energy that was acted on, without remainders.
    Bundles {
        result: Vec<BundleResult>,
        total: WattHours,
    },
}

/// The registry's own settings, as far as rules need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Calendar years from the end of production to expiry.
    pub expiry_years: u8,
    /// How far above capacity × duration an interval may be issued, e.g. 1.1.
    pub capacity_margin: Ratio,
    /// The longest interval of a reading and a certificate; at most an hour.
    pub interval_max: SignedDuration,
    /// Whether readings of less than an hour are issued by the hour, once it is whole, and not by themselves.
    pub sums_to_hour: bool,
}

/// Says what `command` of `actor` would change at `now`, or why it is refused.
///
/// # Errors
/// The first rule that says no, in the order documented at each action.
///
/// # Panics
/// If the stored ledger breaks an invariant. Never because of input.
pub fn decide(
    state: &State,
    actor: Actor,
    command: &Command,
    now: Timestamp,
    rules: &Rules,
) -> Result<(Changes, Outcome), Refusal> {
    match command {
        Command::CreateUser(user) => register::user(state, actor, user, now),
        Command::UpdateUser(update) => user::update(state, actor, update),
        Command::ChangeRole(change) => user::change_role(state, actor, change),
        Command::DeleteUser(id) => user::delete(state, actor, *id),
        Command::CreateOrganisation(organisation) => register::organisation(state, actor, organisation, now),
        Command::UpdateOrganisation(update) => organisation::update(state, actor, update),
        Command::DeleteOrganisation(id) => organisation::delete(state, actor, *id),
        Command::CreateAccount(account) => register::account(state, actor, account, now),
        Command::UpdateAccount(update) => account::update(state, actor, update),
        Command::DeleteAccount(id) => account::delete(state, actor, *id, now),
        Command::UpdateWhitelist(update) => register::whitelist(state, actor, update),
        Command::CreateDevice(device) => register::device(state, actor, device, now),
        Command::UpdateDevice(update) => device::update(state, actor, update),
        Command::ApproveDevice(device) => register::approve(state, actor, *device),
        Command::DeleteDevice(id) => device::delete(state, actor, *id, now, rules),
        Command::CreateMetadata(metadata) => register::metadata(state, actor, metadata, now),
        Command::SubmitReadings(readings) => readings::decide(state, actor, readings, now, rules),
        Command::UpdateMeasurement(update) => measurement::update(state, actor, update, now),
        Command::DeleteMeasurement(id) => measurement::delete(state, actor, *id),
        Command::ReleaseHold { measurement, reason } => measurement::release(state, actor, *measurement, reason),
        Command::Issue(chunk) => issue::decide(state, actor, chunk, now, rules),
        Command::CreateBundle(statement) => create_bundle::decide(state, actor, statement, now, rules),
        Command::Bundles(action) => selection::decide(state, actor, action, now),
        Command::ImportSeed(rows) => seed::decide(state, actor, rows, now, rules),
        Command::PlaceOrder(terms) => recurring_order::place(state, actor, terms, now),
        Command::EndOrder(id) => recurring_order::end(state, actor, *id),
        Command::PauseOrder(id) => recurring_order::pause(state, actor, *id),
        Command::ResumeOrder(id) => recurring_order::resume(state, actor, *id, now),
        Command::RunOrder(run) => order_run::decide(state, actor, run, now),
        Command::Expire(bundles) => expire::decide(state, actor, bundles, now),
        Command::CreateScr(new) => storage::scr::create(state, actor, new, now, rules),
        Command::CreateSdr(new) => storage::sdr::create(state, actor, new, now, rules),
        Command::WithdrawScr(id) => storage::scr::withdraw(state, actor, *id),
        Command::WithdrawSdr(id) => storage::sdr::withdraw(state, actor, *id),
        Command::IssueSdgc(id) => storage::sdgc::issue(state, actor, *id, now, rules),
    }
}

/// What a chunk of a job states of itself, so that it is carried out once: the metadata it issues under is in its command.
pub(crate) fn metadata_of(state: &State, id: MetadataId) -> Result<(), Refusal> {
    if state.metadata.contains_key(&id) { Ok(()) } else { Err(Refusal::MetadataMissing { metadata_id: id }) }
}
