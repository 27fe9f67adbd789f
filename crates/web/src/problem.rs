//! Errors as clients see them (RFC 9457). Invariant: this is the only list of statuses, and every problem has a page.
//!
//! Internal text never leaves: an internal error is told by the id of its request, which the envelope fills in.

use crate::body::Cut;
use crate::json::{Fault, Place};
use crate::limits::{HEADER_BYTES_MAX, RETRY_AFTER_SECONDS};
use crate::places::PlacesFor;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::{Refusal, Scope};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One kind of problem: its slug is part of its `type`, which never changes.
pub(crate) struct Kind {
    pub slug: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    /// What it means and what to do, for the page.
    pub about: &'static str,
}

macro_rules! kinds {
    ($all:ident $($name:ident = $slug:literal $status:ident $title:literal $about:literal;)+) => {
        $(const $name: Kind = Kind { slug: $slug, status: StatusCode::$status, title: $title, about: $about };)+
        /// All of these.
        pub(super) const $all: &[Kind] = &[$($name),+];
    };
}

mod storage;

kinds! { OWN_KINDS
    NO_TOKEN = "no_token" UNAUTHORIZED "Sign in first"
        "The request carries no bearer token, or one that is unknown, expired or revoked. POST /auth/login gives a new one.";
    WRONG_CREDENTIALS = "wrong_credentials" UNAUTHORIZED "Wrong name or password"
        "The sign-in name or the password is wrong. Which of the two is not told.";
    TOO_MANY_ATTEMPTS = "too_many_attempts" TOO_MANY_REQUESTS "Too many attempts"
        "Sign-in failed too often for this name or from this address. Retry-After says when to try again.";
    TOO_MANY_STREAMS = "too_many_streams" TOO_MANY_REQUESTS "Too many streams"
        "A user may have 8 event streams open. Close one, or follow them with one.";
    TOO_MANY_UPLOADS = "too_many_uploads" TOO_MANY_REQUESTS "Too many uploads"
        "A user may submit 2 bodies of readings at a time. Submit the next when one is answered.";
    TOO_MANY_EXPORTS = "too_many_exports" TOO_MANY_REQUESTS "Too many exports"
        "A user may have 2 exports written at a time. Ask for the next when one is complete.";
    FORBIDDEN = "forbidden" FORBIDDEN "Not allowed"
        "You are known, and your roles do not allow this. The detail names what it takes.";
    SCOPE_MISSING = "scope_missing" FORBIDDEN "The key lacks a scope"
        "The API key is known, and not good for this operation. The problem names the scope that is missing; keys do not change, so make another one.";
    SESSION_NEEDED = "session_needed" FORBIDDEN "Not with an API key"
        "No API key is good for this, whatever its scopes. Sign in with POST /auth/login and use the token.";
    NOT_FOUND = "not_found" NOT_FOUND "Not found"
        "Nothing of that id exists, or its existence is not your business.";
    NO_SUCH_PAGE = "no_such_page" NOT_FOUND "No such address"
        "The API has nothing at this path. /docs lists everything there is.";
    METHOD_NOT_ALLOWED = "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed"
        "The path exists, the method does not. The header Allow lists those that do.";
    USER_MISSING = "user_missing" NOT_FOUND "User not found" "The request names a user that does not exist.";
    ORGANISATION_MISSING = "organisation_missing" NOT_FOUND "Organisation not found"
        "The request names an organisation that does not exist.";
    ACCOUNT_MISSING = "account_missing" NOT_FOUND "Account not found" "The request names an account that does not exist.";
    WHITELIST_ACCOUNT_MISSING = "whitelist_account_missing" NOT_FOUND "Account not found"
        "The request adds an account to a whitelist that does not exist.";
    DEVICE_MISSING = "device_missing" NOT_FOUND "Device not found" "The request names a device that does not exist.";
    MEASUREMENT_MISSING = "measurement_missing" NOT_FOUND "Reading not found"
        "The request names a reading that does not exist, was deleted, or is not your business.";
    METADATA_MISSING = "metadata_missing" NOT_FOUND "Issuance metadata not found"
        "The request names issuance metadata that does not exist.";
    BUNDLE_MISSING = "bundle_missing" NOT_FOUND "Bundle not found"
        "A bundle that the request names is not in the source account. Nothing was done for the others either.";
    ORDER_MISSING = "order_missing" NOT_FOUND "Recurring order not found"
        "The recurring order does not exist, or is of an account that is not yours.";
    ORDER_OVER = "order_over" CONFLICT "The recurring order has ended"
        "What has ended neither pauses nor goes on. Place another order.";
    ORDER_MOVED = "order_moved" CONFLICT "The recurring order has moved on"
        "Another process has carried out this run, or what it was to act on was used meanwhile.";
    NEVER_MATCHES = "never_matches" BAD_REQUEST "Nothing can ever match"
        "The order names a device of the account that has no such certificates and never will, so no run of it could succeed.";
    NOTHING_MATCHES = "nothing_matches" BAD_REQUEST "Nothing matches"
        "When the order ran, the account held nothing Active that its filters let through. The order goes on.";
    DATE_PASSED = "date_passed" BAD_REQUEST "The first date has passed" "A recurring order begins today (UTC) or later.";
    WHITELIST_IS_SELF = "whitelist_is_self" BAD_REQUEST "An account cannot whitelist itself"
        "A whitelist says which other accounts may send; the account itself has no place on it.";
    LAST_ADMINISTRATOR = "last_administrator" BAD_REQUEST "The last administrator"
        "Somebody must be left to administer the registry. Give the role to another user first.";
    ACCOUNT_HOLDS_BUNDLES = "account_holds_bundles" BAD_REQUEST "The account holds bundles"
        "An account with Active, Reserved or Locked bundles is not deleted: nobody could use them any more. What has expired does not count. The problem names one of the bundles.";
    ACCOUNT_HAS_DEVICES = "account_has_devices" BAD_REQUEST "The account has devices"
        "Delete the account's devices first: certificates are issued to the account of their device.";
    DEVICE_STAYS = "device_stays" BAD_REQUEST "A device stays in its account"
        "Certificates of a device are issued to its account. Register the device anew in the other account.";
    DEVICE_MEASURED = "device_measured" BAD_REQUEST "Readings were accepted of the device"
        "Once readings of a device were accepted, its type and its meter stay as they are and it does not become operational later: the readings would be another's.";
    DEVICE_HAS_PENDING_READINGS = "device_has_pending_readings" BAD_REQUEST "Readings are pending"
        "A reading of the device was accepted and is still to be issued. Issue or delete it first. The problem names its start.";
    TAKEN = "taken" BAD_REQUEST "Already used"
        "The value must be unique and something else has it already.";
    TOO_MANY = "too_many" BAD_REQUEST "Too many entries" "The list would have more entries than are allowed.";
    TARGET_IS_SOURCE = "target_is_source" BAD_REQUEST "Source and target are the same"
        "A transfer moves bundles from one account to another.";
    NOT_WHITELISTED = "not_whitelisted" BAD_REQUEST "Not on the whitelist"
        "The target account accepts certificates only from accounts on its whitelist. Whether the target exists is not told.";
    BUNDLE_REPEATED = "bundle_repeated" BAD_REQUEST "A bundle is named twice" "Name each bundle once.";
    NO_BUNDLES = "no_bundles" BAD_REQUEST "No bundle is named" "Name at least one bundle.";
    WRONG_STATE = "wrong_state" BAD_REQUEST "The bundle's state does not allow this"
        "The state of a bundle decides what may be done with it. The problem names its state and those that would do.";
    CANCELLED_FOR_STORAGE = "cancelled_for_storage" BAD_REQUEST "Cancelled for storage"
        "The bundle backs a charge of storage and can never be claimed.";
    NOT_BENEFICIARY = "not_beneficiary" FORBIDDEN "Not the beneficiary"
        "A cancelled bundle is claimed by users of its beneficiary's account.";
    QUANTITY_ZERO = "quantity_zero" BAD_REQUEST "Quantity below 1 Wh" "Ask for at least 1 Wh.";
    SHARE_OUT_OF_RANGE = "share_out_of_range" BAD_REQUEST "Share out of range" "A share is above 0 and at most 1.";
    NOT_ENOUGH = "not_enough" BAD_REQUEST "Not enough energy"
        "More is asked than the bundles named hold together. Nothing is clipped: ask for what is held, or name more bundles.";
    NOTHING_PICKED = "nothing_picked" BAD_REQUEST "The share comes to nothing"
        "The share, rounded down, is 0 Wh of every bundle.";
    REASON_MISSING = "reason_missing" BAD_REQUEST "A reason is required" "State why this is done.";
    NOT_ISSUABLE = "not_issuable" BAD_REQUEST "Nothing can be issued there"
        "The statement cannot be a reading of the device, or nothing is left to be issued on the one there is. The member cause names the rule.";
    STATEMENT_DIFFERS = "statement_differs" BAD_REQUEST "Not what the registry assigns"
        "Ranges, states, expiry, hash and the like are assigned by the registry. A statement may leave them out or repeat them; the problem names the member and what it must be.";
    NOTHING_STATED = "nothing_stated" BAD_REQUEST "Nothing to correct" "State an account, a status, or both.";
    NOT_CORRECTABLE = "not_correctable" BAD_REQUEST "No correction leads there"
        "The issuer corrects bundles to Active, Cancelled, Locked, Reserved or Withdrawn. Claims are made by beneficiaries, and time expires.";
    READING_SUPERSEDED = "reading_superseded" CONFLICT "The reading was corrected since"
        "A later version took the place of the one that is named. Read it, and name it if the change is still wanted.";
    READING_SUMMED = "reading_summed" BAD_REQUEST "The reading is a sum"
        "It is the sum of its hour's readings. Correct one of those: the sum follows.";
    READING_FIXED = "reading_fixed" BAD_REQUEST "This never changes"
        "Device, interval and GROSS or NET of a reading are for ever. Delete the reading, if nothing was issued on it, and state another.";
    READING_REFUSED = "reading_refused" BAD_REQUEST "The reading is not accepted"
        "The reading breaks a rule; the member cause names it, with its numbers.";
    ALREADY_ISSUED = "already_issued" CONFLICT "Certificates were issued on it"
        "Bundles stem from the interval of the reading. It is corrected with PATCH /measurement/update/{id}, and never deleted or submitted anew.";
    NOTHING_HELD = "nothing_held" BAD_REQUEST "Nothing is held"
        "Nothing was withdrawn in the interval of the reading, or it was released already.";
    JOB_MOVED = "job_moved" CONFLICT "The job has moved on" "Another process has carried out this part of the job.";
    KEY_IN_FLIGHT = "idempotency_key_in_flight" CONFLICT "The first request is under way"
        "A request with this Idempotency-Key has not been answered yet. Try again after a moment to get its answer.";
    KEY_REUSED = "idempotency_key_reused" UNPROCESSABLE_ENTITY "The key was used for another request"
        "This user sent another body or query string to the same address under this Idempotency-Key within 24 hours. Take a new key for each change.";
    BAD_QUERY = "bad_query" UNPROCESSABLE_ENTITY "The query breaks a rule"
        "The members of the query are well formed, and do not go together. The detail names the rule.";
    TOO_MUCH = "too_much" BAD_REQUEST "Too much at once" "The answer would be too large. Narrow the request, or page through it.";
    INTERRUPTED = "interrupted" UNPROCESSABLE_ENTITY "The input broke off"
        "The readings could not be read to the end. Whole chunks that were taken before stand; the job says how far it got. Submitting the same readings again is safe.";
    NOT_AVAILABLE = "not_available" BAD_REQUEST "Not available" "This part of the request is not available in this registry.";
    TOO_LARGE = "too_large" PAYLOAD_TOO_LARGE "The body is too large" "Bodies have a maximum size: 1 MiB, and 256 MiB for readings.";
    HEADERS_TOO_LARGE = "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "The header is too large"
        "The address and all headers of a request have 64 kB together.";
    TOO_SLOW = "too_slow" REQUEST_TIMEOUT "The body stood still" "The rest of the body did not arrive in time.";
    BROKEN = "broken" BAD_REQUEST "The body broke off" "The connection was closed before the body was complete.";
    BUSY = "busy" SERVICE_UNAVAILABLE "Busy" "Too much is waiting. Nothing was done; try again after a moment.";
    UNAVAILABLE = "unavailable" SERVICE_UNAVAILABLE "Not available right now"
        "The database is out of reach or the registry is stopping. Nothing was done; try again after a moment.";
    OUTCOME_UNKNOWN = "outcome_unknown" SERVICE_UNAVAILABLE "The outcome is unknown"
        "The connection to the database was lost while the change was committed. Read what is there before you try again.";
    INTERNAL = "internal" INTERNAL_SERVER_ERROR "Internal error"
        "A fault of the registry. The request id leads its operator to the cause.";
}

/// Every kind of problem, for the pages.
pub(crate) fn all_kinds() -> impl Iterator<Item = &'static Kind> {
    OWN_KINDS.iter().chain(storage::KINDS)
}

/// Why a request has no better answer.
#[derive(Debug)]
pub(crate) enum Error {
    Use(app::Error),
    /// The request's shape is wrong, in all these places.
    Faults(Vec<Fault>),
    Cut(Cut),
    /// Readings were taken before their body was cut off.
    CutLater {
        cut: Cut,
        job: i64,
        rows: u64,
    },
    /// The request asks for what this registry does not do.
    NotAvailable(&'static str),
    /// The user has as many of these under way as they may.
    TooManyAtOnce {
        what: PlacesFor,
        max: usize,
    },
    NoSuchPage,
    MethodNotAllowed,
    HeadersTooLarge,
    /// The API key that was shown does not have this scope.
    ScopeMissing(Scope),
    /// An API key was shown where none will do.
    SessionNeeded,
    /// A reader gave nothing and named no fault.
    NotRead,
}

impl From<app::Error> for Error {
    fn from(error: app::Error) -> Self {
        Self::Use(error)
    }
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Use(refusal.into())
    }
}

/// The request's shape is wrong: every fault at once.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPValidationError)]
pub(crate) struct Faults {
    /// Every fault, up to 100 of them.
    pub detail: Vec<Fault>,
}

/// Why a request was not carried out (RFC 9457, `application/problem+json`). Some kinds add numbers that a program needs,
/// such as `held`, `asked` or `bundle_id`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/not_enough", "title": "Not enough energy", "status": 400,
    "detail": "500 Wh are asked, the selection holds 300 Wh", "held": 300, "asked": 500,
}))]
pub(crate) struct Problem {
    /// The kind of problem, for ever the same; a page that explains it.
    #[schema(example = "/problems/not_enough")]
    pub r#type: String,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// What happened this time, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: Map<String, Value>,
}

impl Problem {
    fn new(kind: &Kind, detail: Option<String>, members: Map<String, Value>) -> Self {
        let r#type = format!("/problems/{}", kind.slug);
        Self { r#type, title: kind.title, status: kind.status.as_u16(), detail, members }
    }

    /// Of a refusal that is told and not answered.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        let members = members_of(&app::Error::Refused(refusal.clone()));
        Self::new(of_refusal(refusal), Some(refusal.to_string()), members)
    }

    /// Of a refusal that was kept: what was answered then. `None` for a reason that this version does not know.
    pub(crate) fn of_reason(reason: &str, detail: String, members: Map<String, Value>) -> Option<Self> {
        let kind = all_kinds().find(|kind| kind.slug == reason)?;
        Some(Self::new(kind, Some(detail), wire_names(members)))
    }

    /// Of a fault of ours: the id of the request and nothing else.
    pub(crate) fn internal(request_id: &str) -> Self {
        let members = Map::from_iter([("request_id".to_owned(), Value::from(request_id))]);
        Self::new(&INTERNAL, None, members)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body).into_response()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (kind, members) = match &self {
            Self::Use(error) => (of_use(error), members_of(error)),
            Self::Faults(_) => (&BAD_QUERY, Map::new()),
            Self::Cut(cut) => (of_cut(*cut), Map::new()),
            Self::CutLater { cut, job, rows } => {
                let members = [("job_id".to_owned(), Value::from(*job)), ("rows".to_owned(), Value::from(*rows))];
                (of_cut(*cut), Map::from_iter(members))
            }
            Self::NotAvailable(_) => (&NOT_AVAILABLE, Map::new()),
            Self::TooManyAtOnce { what, .. } => (of_places(*what), Map::new()),
            Self::NoSuchPage => (&NO_SUCH_PAGE, Map::new()),
            Self::MethodNotAllowed => (&METHOD_NOT_ALLOWED, Map::new()),
            Self::HeadersTooLarge => (&HEADERS_TOO_LARGE, Map::new()),
            Self::ScopeMissing(scope) => {
                (&SCOPE_MISSING, Map::from_iter([("scope".to_owned(), Value::from(scope.name()))]))
            }
            Self::SessionNeeded => (&SESSION_NEEDED, Map::new()),
            Self::NotRead => {
                tracing::error!("a request was not read, and no fault was named");
                (&INTERNAL, Map::new())
            }
        };
        let retry_after = match &self {
            Self::Use(app::Error::TooManyAttempts { seconds }) => Some(*seconds),
            Self::TooManyAtOnce { .. } => Some(RETRY_AFTER_SECONDS),
            _ if kind.status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_SECONDS),
            _ => None,
        };
        let mut response = match self {
            Self::Faults(detail) => faults(detail),
            Self::Use(app::Error::BadInput { field, rule }) => faults(vec![Fault {
                // The whole body is told as such, not as a member of itself.
                loc: ["body", &field]
                    .into_iter()
                    .take(if field == "body" { 1 } else { 2 })
                    .map(|name| Place::Name(name.to_owned()))
                    .collect(),
                msg: format!("Value error, {field} {rule}"),
                r#type: "value_error",
            }]),
            Self::Use(app::Error::ColumnsMissing { columns }) => faults(
                columns
                    .into_iter()
                    .map(|column| Fault {
                        loc: ["body", column].map(|name| Place::Name(name.to_owned())).to_vec(),
                        msg: "Field required".to_owned(),
                        r#type: "missing",
                    })
                    .collect(),
            ),
            error => Problem::new(kind, error.detail(), members).into_response(),
        };
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if kind.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl Error {
    fn detail(self) -> Option<String> {
        match self {
            Self::Use(app::Error::Internal) | Self::NotRead => None,
            Self::Use(error) => Some(error.to_string()),
            Self::Cut(cut) => Some(cut.to_string()),
            Self::CutLater { cut, rows, job } => Some(format!("{cut}; {rows} rows were taken before, see job {job}")),
            Self::NotAvailable(detail) => Some(detail.to_owned()),
            Self::TooManyAtOnce { what: PlacesFor::Streams, max } => {
                Some(format!("{max} event streams are open already"))
            }
            Self::TooManyAtOnce { what: PlacesFor::Uploads, max } => {
                Some(format!("{max} uploads are under way already"))
            }
            Self::TooManyAtOnce { what: PlacesFor::Exports, max } => {
                Some(format!("{max} exports are under way already"))
            }
            Self::NoSuchPage => Some("There is nothing at this address".to_owned()),
            Self::MethodNotAllowed => Some("The address does not know this method".to_owned()),
            Self::HeadersTooLarge => Some(format!("The header is larger than {HEADER_BYTES_MAX} bytes")),
            Self::ScopeMissing(scope) => Some(format!("The API key lacks the scope {scope}")),
            Self::SessionNeeded => Some("This cannot be done with an API key".to_owned()),
            Self::Faults(_) => Some("The request's shape is wrong".to_owned()),
        }
    }
}

/// Status, title and numbers of an error, for those who tell it in another form.
pub(crate) fn told(error: &app::Error) -> (StatusCode, &'static str, Map<String, Value>) {
    let kind = of_use(error);
    (kind.status, kind.title, members_of(error))
}

fn faults(detail: Vec<Fault>) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(Faults { detail })).into_response()
}

fn of_cut(cut: Cut) -> &'static Kind {
    match cut {
        Cut::TooLarge { .. } => &TOO_LARGE,
        Cut::StoodStill => &TOO_SLOW,
        Cut::Broken => &BROKEN,
    }
}

fn of_places(what: PlacesFor) -> &'static Kind {
    match what {
        PlacesFor::Streams => &TOO_MANY_STREAMS,
        PlacesFor::Uploads => &TOO_MANY_UPLOADS,
        PlacesFor::Exports => &TOO_MANY_EXPORTS,
    }
}

fn of_use(error: &app::Error) -> &'static Kind {
    match error {
        app::Error::NotFound { .. } => &NOT_FOUND,
        app::Error::Refused(refusal) => of_refusal(refusal),
        app::Error::BadQuery(_) | app::Error::BadInput { .. } | app::Error::ColumnsMissing { .. } => &BAD_QUERY,
        app::Error::TooMuch(_) => &TOO_MUCH,
        app::Error::Interrupted { .. } => &INTERRUPTED,
        app::Error::WrongCredentials => &WRONG_CREDENTIALS,
        app::Error::NoToken => &NO_TOKEN,
        app::Error::TooManyAttempts { .. } => &TOO_MANY_ATTEMPTS,
        app::Error::KeyReused => &KEY_REUSED,
        app::Error::KeyInFlight => &KEY_IN_FLIGHT,
        app::Error::Busy => &BUSY,
        app::Error::Unavailable | app::Error::Source(_) => &UNAVAILABLE,
        app::Error::OutcomeUnknown => &OUTCOME_UNKNOWN,
        app::Error::Internal => &INTERNAL,
    }
}

fn of_refusal(refusal: &Refusal) -> &'static Kind {
    match refusal {
        Refusal::Forbidden { .. } => &FORBIDDEN,
        Refusal::UserMissing { .. } => &USER_MISSING,
        Refusal::OrganisationMissing { .. } => &ORGANISATION_MISSING,
        Refusal::AccountMissing { .. } => &ACCOUNT_MISSING,
        Refusal::WhitelistAccountMissing { .. } => &WHITELIST_ACCOUNT_MISSING,
        Refusal::WhitelistIsSelf { .. } => &WHITELIST_IS_SELF,
        Refusal::DeviceMissing { .. } => &DEVICE_MISSING,
        Refusal::MetadataMissing { .. } => &METADATA_MISSING,
        Refusal::LastAdministrator { .. } => &LAST_ADMINISTRATOR,
        Refusal::AccountHoldsBundles { .. } => &ACCOUNT_HOLDS_BUNDLES,
        Refusal::AccountHasDevices { .. } => &ACCOUNT_HAS_DEVICES,
        Refusal::DeviceStays { .. } => &DEVICE_STAYS,
        Refusal::DeviceMeasured { .. } => &DEVICE_MEASURED,
        Refusal::DeviceHasPendingReadings { .. } => &DEVICE_HAS_PENDING_READINGS,
        Refusal::Taken { .. } => &TAKEN,
        Refusal::TooMany { .. } => &TOO_MANY,
        Refusal::TargetIsSource { .. } => &TARGET_IS_SOURCE,
        Refusal::NotWhitelisted { .. } => &NOT_WHITELISTED,
        Refusal::BundleMissing { .. } => &BUNDLE_MISSING,
        Refusal::BundleRepeated { .. } => &BUNDLE_REPEATED,
        Refusal::NoBundles => &NO_BUNDLES,
        Refusal::WrongState { .. } => &WRONG_STATE,
        Refusal::CancelledForStorage { .. } => &CANCELLED_FOR_STORAGE,
        Refusal::NotBeneficiary { .. } => &NOT_BENEFICIARY,
        Refusal::QuantityZero => &QUANTITY_ZERO,
        Refusal::ShareOutOfRange => &SHARE_OUT_OF_RANGE,
        Refusal::NotEnough { .. } => &NOT_ENOUGH,
        Refusal::NothingPicked => &NOTHING_PICKED,
        Refusal::ReasonMissing => &REASON_MISSING,
        Refusal::OrderMissing { .. } => &ORDER_MISSING,
        Refusal::DatePassed { .. } => &DATE_PASSED,
        Refusal::OrderOver { .. } => &ORDER_OVER,
        Refusal::OrderMoved { .. } => &ORDER_MOVED,
        Refusal::NeverMatches { .. } => &NEVER_MATCHES,
        Refusal::NothingMatches { .. } => &NOTHING_MATCHES,
        Refusal::NotIssuable { .. } => &NOT_ISSUABLE,
        Refusal::StatementDiffers { .. } => &STATEMENT_DIFFERS,
        Refusal::NothingStated => &NOTHING_STATED,
        Refusal::NotCorrectable { .. } => &NOT_CORRECTABLE,
        Refusal::MeasurementMissing { .. } => &MEASUREMENT_MISSING,
        Refusal::ReadingSuperseded { .. } => &READING_SUPERSEDED,
        Refusal::ReadingSummed { .. } => &READING_SUMMED,
        Refusal::ReadingFixed { .. } => &READING_FIXED,
        Refusal::ReadingRefused { .. } => &READING_REFUSED,
        Refusal::AlreadyIssued { .. } => &ALREADY_ISSUED,
        Refusal::NothingHeld { .. } => &NOTHING_HELD,
        Refusal::Storage(refusal) => storage::of_refusal(refusal),
        Refusal::JobMoved => &JOB_MOVED,
    }
}

/// The status of a problem is that of its answer; a bundle's has another name.
fn wire_names(mut members: Map<String, Value>) -> Map<String, Value> {
    if let Some(status) = members.remove("status") {
        members.insert("certificate_bundle_status".to_owned(), status);
    }
    members
}

/// The numbers that a program needs.
fn members_of(error: &app::Error) -> Map<String, Value> {
    match error {
        app::Error::Refused(refusal) => match serde_json::to_value(refusal) {
            Ok(Value::Object(mut members)) => {
                members.remove("reason");
                wire_names(members)
            }
            Ok(_) | Err(_) => Map::new(),
        },
        app::Error::Interrupted { job, rows, .. } => {
            Map::from_iter([("job_id".to_owned(), Value::from(job.0)), ("rows".to_owned(), Value::from(*rows))])
        }
        app::Error::NotFound { id, .. } => Map::from_iter([("id".to_owned(), Value::from(*id))]),
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        AccountId, BundleId, BundleStatus, DeviceId, MeasurementId, MetadataId, OrganisationId, ReadingRefusal, UserId,
        WattHours,
    };

    #[test]
    fn the_slug_of_a_refusal_is_its_reason() {
        let (account_id, bundle_id, measurement_id) = (AccountId(1), BundleId(1), MeasurementId(1));
        for refusal in [
            Refusal::Forbidden { needs: String::new() },
            Refusal::UserMissing { user_id: UserId(1) },
            Refusal::OrganisationMissing { organisation_id: OrganisationId(1) },
            Refusal::AccountMissing { account_id },
            Refusal::WhitelistAccountMissing { account_id },
            Refusal::WhitelistIsSelf { account_id },
            Refusal::DeviceMissing { device_id: DeviceId(1) },
            Refusal::MetadataMissing { metadata_id: MetadataId(1) },
            Refusal::LastAdministrator { user_id: UserId(1) },
            Refusal::AccountHoldsBundles { account_id, bundle_id, status: BundleStatus::Locked },
            Refusal::AccountHasDevices { account_id, device_id: DeviceId(1) },
            Refusal::DeviceStays { device_id: DeviceId(1), account_id },
            Refusal::DeviceMeasured { device_id: DeviceId(1), field: "device_type" },
            Refusal::DeviceHasPendingReadings { device_id: DeviceId(1), start: jiff::Timestamp::UNIX_EPOCH },
            Refusal::Taken { field: "name", value: String::new() },
            Refusal::TooMany { field: "ids", max: 1 },
            Refusal::TargetIsSource { source_id: account_id },
            Refusal::NotWhitelisted { source_id: account_id, target_id: account_id },
            Refusal::BundleMissing { source_id: account_id, bundle_id },
            Refusal::BundleRepeated { bundle_id },
            Refusal::NoBundles,
            Refusal::WrongState { bundle_id, status: BundleStatus::Locked, needed: Vec::new() },
            Refusal::CancelledForStorage { bundle_id },
            Refusal::NotBeneficiary { bundle_id },
            Refusal::QuantityZero,
            Refusal::ShareOutOfRange,
            Refusal::NotEnough { held: WattHours(1), asked: WattHours(2) },
            Refusal::NothingPicked,
            Refusal::ReasonMissing,
            Refusal::OrderMissing { order_id: domain::RecurringOrderId(1) },
            Refusal::DatePassed { first_at: jiff::Timestamp::UNIX_EPOCH, earliest: jiff::Timestamp::UNIX_EPOCH },
            Refusal::OrderOver { order_id: domain::RecurringOrderId(1) },
            Refusal::OrderMoved { order_id: domain::RecurringOrderId(1) },
            Refusal::NeverMatches { device_id: DeviceId(1), cause: "it consumes" },
            Refusal::NothingMatches { source_id: domain::AccountId(1) },
            Refusal::NotIssuable {
                device_id: DeviceId(1),
                start: jiff::Timestamp::UNIX_EPOCH,
                cause: domain::ReadingRefusal::NotApproved,
            },
            Refusal::StatementDiffers { member: "hash", expected: String::new() },
            Refusal::NothingStated,
            Refusal::NotCorrectable { status: BundleStatus::Claimed },
            Refusal::MeasurementMissing { measurement_id },
            Refusal::ReadingSuperseded { measurement_id, superseded_by: MeasurementId(2) },
            Refusal::ReadingSummed { measurement_id },
            Refusal::ReadingFixed { field: "device_id" },
            Refusal::ReadingRefused { cause: ReadingRefusal::Estimated },
            Refusal::AlreadyIssued { reading_wh: 1 },
            Refusal::NothingHeld { measurement_id },
            Refusal::JobMoved,
        ] {
            let reason = serde_json::to_value(&refusal).unwrap()["reason"].clone();
            assert_eq!(of_refusal(&refusal).slug, reason, "{refusal:?}");
        }
    }

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<&str> = all_kinds().map(|kind| kind.slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), all_kinds().count());
    }
}
