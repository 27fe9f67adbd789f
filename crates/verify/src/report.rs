//! What an audit says: findings, counts, progress. Invariant: a finding's kind has a stable code and one invariant.

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The most findings that are told one by one; more are only counted.
pub const FINDINGS_MAX: usize = 1_000;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The ledger is not what it must be.
    Violation,
    /// To be known, and possible in a ledger that is right.
    Notice,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    User,
    Account,
    Device,
    Measurement,
    Bundle,
    Metadata,
    Organisation,
    Attributes,
    RecurringOrder,
    /// A charge of storage.
    Scr,
    /// A discharge.
    Sdr,
    /// What a discharge draws of a charge.
    Draw,
    Event,
    Action,
    /// The one row that holds the ledger's end and the next ids.
    Head,
    /// The id is the user's.
    Membership,
    /// The id is the receiving account's.
    Whitelist,
}

impl Noun {
    /// What the log's code for an entity stands for.
    pub(crate) fn of_entity(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::User,
            2 => Self::Account,
            3 => Self::Device,
            4 => Self::Measurement,
            5 => Self::Bundle,
            6 => Self::Metadata,
            7 => Self::Organisation,
            8 => Self::Attributes,
            9 => Self::RecurringOrder,
            10 => Self::Scr,
            11 => Self::Sdr,
            12 => Self::Draw,
            _ => return None,
        })
    }
}

/// Declares the kinds of findings with the invariant each belongs to.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $invariant:literal),+ $(,)?) => {
        /// What is wrong. Serialised as its name in snake case, which never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FindingKind { $($(#[$doc])* $name),+ }

        impl FindingKind {
            /// The number of the invariant that is broken.
            pub const fn invariant(self) -> u8 {
                match self { $(Self::$name => $invariant),+ }
            }
        }
    };
}

kinds! {
    /// A device's certificate ids have a hole, or its counter is not after the last.
    CertificatesMissing = 1,
    /// Two children do not partition their parent, or there are not two, or the parent is not split.
    SplitWrong = 1,
    /// A child differs from its parent in what a split does not touch.
    ChildDiffers = 1,
    /// A discharge draws what it cannot: more than was charged or is needed, of another device or a later time, or the
    /// certificates are not its part times the efficiency factor.
    DrawWrong = 1,
    /// What a device charged is not certified, lost, drawn or left; or more is certified than was drawn.
    StorageDiffers = 1,
    /// A certificate id is in two bundles.
    CertificateTwice = 2,
    /// A bundle with no certificates.
    QuantityNotPositive = 2,
    /// Two current readings of a device overlap in time.
    ReadingsOverlap = 3,
    /// A reading is shorter than a minute, longer than an hour, of the future or of before its device.
    IntervalWrong = 3,
    /// A reading that its device cannot have: energy below zero, another meter mode.
    ReadingWrong = 3,
    /// A reading that says it is the sum of its hour's, and is not.
    SumWrong = 3,
    /// Bundles of an interval that has no current reading.
    NoReading = 3,
    /// Issued to something that is not an approved production device, on an estimate, to another account, or too early.
    IssueWrong = 3,
    /// More is live than any reading of the interval ever said.
    IssuedTwice = 3,
    /// More is live than the current reading says, because it was corrected downward.
    Shortfall = 3,
    /// What was withdrawn and held was issued again, or more was released than was withdrawn.
    HoldWrong = 3,
    /// A storage record that its device or its reading does not carry.
    RecordWrong = 3,
    /// Certificates that cannot back the charge that they are allocated to.
    AllocationWrong = 3,
    /// More is live than the device can make.
    AboveCapacity = 3,
    /// A state that does not follow from the one before.
    StateWrong = 4,
    /// A beneficiary, its account or a purpose was changed, is missing, or stands where nothing was cancelled.
    BeneficiaryChanged = 4,
    /// Transferred, cancelled, reserved, locked or unlocked when it had expired.
    ActedAfterExpiry = 4,
    /// Became Expired before its time.
    ExpiredTooEarly = 4,
    /// Moved by an action that is not a transfer.
    MovedByOtherAction = 5,
    /// Moved by somebody who may not act for the account.
    MovedByStranger = 5,
    /// Moved into an account that had not whitelisted the sender.
    MovedWithoutWhitelist = 5,
    /// A recurring order that ran, paused, went on or ended otherwise than it was ordered.
    OrderWrong = 5,
    /// Moved into an account that was deleted, or still Active, Reserved or Locked in one; a device left behind in one.
    DeletedInUse = 5,
    /// What must never change after issue was changed, or differs from the device as it was.
    AttributesChanged = 6,
    /// Numbers of the log that are not there.
    EventMissing = 7,
    /// An event recorded before the one in front of it.
    TimeBackwards = 7,
    /// An event's bytes do not give its leaf.
    LeafDiffers = 7,
    /// An event whose content cannot be read.
    EventMalformed = 7,
    /// An event that names an action that there is not, or not the one it lies in.
    EventWithoutAction = 7,
    /// An action's content does not give its hash.
    ActionHashDiffers = 7,
    /// An action does not begin where the one before it ends.
    ActionEventsDiffer = 7,
    /// An action was not completed when its events were recorded, or before it was asked for.
    ActionTimeDiffers = 7,
    /// An event of a kind that its action does not make.
    KindDoesNotFit = 7,
    /// An action of a user that did not exist.
    ActorUnknown = 7,
    /// An action of a user without a role that may take it.
    ActorNotPermitted = 7,
    /// The last administrator lost the role or was deleted.
    NobodyAdministers = 7,
    /// The ledger's head is not what the log ends with, or a next id does not follow from the rows.
    HeadDiffers = 7,
    /// An id with neither a row nor an event.
    IdMissing = 7,
    /// A row that no event created.
    RowWithoutEvent = 7,
    /// Events of something that has no row.
    RowMissing = 7,
    /// A row is not what its events say.
    RowDiffers = 7,
    /// A total that is kept of what an account holds is not what the events of its bundles add up to.
    HoldingDiffers = 7,
    /// Events of one thing that do not follow from each other.
    HistoryWrong = 7,
    /// A hash in a row is not the hash of what it covers.
    HashDiffers = 7,
}

impl FindingKind {
    pub const fn severity(self) -> Severity {
        if matches!(self, Self::Shortfall) { Severity::Notice } else { Severity::Violation }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    /// The number of the invariant that is broken, 1 to 7.
    pub invariant: u8,
    pub severity: Severity,
    pub entity: Noun,
    pub entity_id: i64,
    pub event_number: Option<i64>,
    /// A sentence with the expected and the found value.
    pub text: String,
}

/// What was checked of one invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InvariantReport {
    pub number: u8,
    pub name: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    pub violations: u64,
}

const INVARIANTS: [&str; 7] = [
    "Conservation: the bundles of a device are exactly the certificates issued, and a split divides its parent exactly",
    "No certificate is in two bundles, and no bundle is empty",
    "Readings do not overlap, and no interval holds more than its reading and its device's capacity",
    "States follow each other as the table says, and a cancellation is for ever",
    "A bundle moves only by its holder's transfer, into an account that whitelisted the holder",
    "Certificate attributes never change after issue",
    "Every change has one action and one sealed event, and the log gives the tables",
];

/// The outcome of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub events: u64,
    pub actions: u64,
    pub bundles: u64,
    pub measurements: u64,
    pub users: u64,
    pub organisations: u64,
    pub accounts: u64,
    pub devices: u64,
    pub metadata: u64,
    pub attributes: u64,
    /// How many findings break the ledger.
    pub violations: u64,
    /// How many do not.
    pub notices: u64,
    /// The first [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many there are of each kind.
    pub kinds: BTreeMap<FindingKind, u64>,
    /// The root of the Merkle tree over the leaves as they are stored (RFC 6962).
    #[serde(serialize_with = "hexadecimal")]
    pub root: [u8; 32],
    /// The number of the last event.
    pub event_number: i64,
    pub invariants: Vec<InvariantReport>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.violations == 0
    }
}

fn hexadecimal<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(hash))
}

/// The passes, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Log,
    Intervals,
    Readings,
    Bundles,
    Storage,
    Registrations,
}

/// How far an audit is. `total` is what the ledger's head announces, and may be wrong if that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub phase: Phase,
    pub done: u64,
    pub total: u64,
}

/// What was found so far.
pub(crate) struct Audit<'p> {
    report: Report,
    on_progress: &'p mut dyn FnMut(Progress),
}

impl<'p> Audit<'p> {
    pub(crate) fn new(on_progress: &'p mut dyn FnMut(Progress)) -> Self {
        let invariants =
            (1_u8..).zip(INVARIANTS).map(|(number, name)| InvariantReport { number, name, checked: 0, violations: 0 });
        let report = Report {
            events: 0,
            actions: 0,
            bundles: 0,
            measurements: 0,
            users: 0,
            organisations: 0,
            accounts: 0,
            devices: 0,
            metadata: 0,
            attributes: 0,
            violations: 0,
            notices: 0,
            findings: Vec::new(),
            kinds: BTreeMap::new(),
            root: [0; 32],
            event_number: 0,
            invariants: invariants.collect(),
        };
        Self { report, on_progress }
    }

    /// Adds a finding; its text is only made if it will be told.
    pub(crate) fn find(
        &mut self,
        kind: FindingKind,
        entity: Noun,
        entity_id: i64,
        event_number: Option<i64>,
        text: impl FnOnce() -> String,
    ) {
        let (invariant, severity) = (kind.invariant(), kind.severity());
        *self.report.kinds.entry(kind).or_default() += 1;
        match severity {
            Severity::Notice => self.report.notices += 1,
            Severity::Violation => {
                self.report.violations += 1;
                self.invariant(invariant).violations += 1;
            }
        }
        if self.report.findings.len() < FINDINGS_MAX {
            let finding = Finding { kind, invariant, severity, entity, entity_id, event_number, text: text() };
            self.report.findings.push(finding);
        }
    }

    /// Counts what was looked at for an invariant.
    pub(crate) fn checked(&mut self, invariant: u8, count: u64) {
        self.invariant(invariant).checked += count;
    }

    pub(crate) fn counts(&mut self) -> &mut Report {
        &mut self.report
    }

    pub(crate) fn progress(&mut self, phase: Phase, done: u64, total: i64) {
        let total = u64::try_from(total).unwrap_or(0).max(done);
        (self.on_progress)(Progress { phase, done, total });
    }

    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    fn invariant(&mut self, number: u8) -> &mut InvariantReport {
        let index = usize::from(number) - 1;
        &mut self.report.invariants[index]
    }
}

/// Bytes as people compare them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// An instant as people read it.
pub(crate) fn at(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| format!("{micros} µs"), |instant| instant.to_string())
}

/// A value that may be absent.
pub(crate) fn shown<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
}
