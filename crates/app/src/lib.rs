//! What users can do with a registry: use cases over one ordered queue.
//!
//! [`Registry`] is a handle that is cheap to clone. Changes go through its queue to the one writer thread; reads take a
//! reader from a pool, on the caller's own thread, and always within the caller's scope. Nothing here is async: who lives
//! on an async runtime hands reads to blocking threads and awaits [`Pending`] answers.

mod account;
mod action;
mod api_key;
mod auth;
mod certificate;
mod checkpoint;
mod clock;
mod device;
mod elexon;
mod error;
mod event;
mod expiry;
mod export;
mod holding;
mod idempotency;
mod import;
mod issue;
mod job;
mod lineage;
mod listing;
mod live_check;
mod measure;
mod measurement;
mod names;
mod order_run;
mod organisation;
mod page;
mod production;
mod recurring_order;
mod register;
mod registry;
mod seed;
mod settings;
mod sheet;
mod sight;
mod storage;
mod throttle;
mod timed;
mod work;
mod writer;

pub use account::{AccountSummary, Receiver};
pub use action::{
    ActionPlace, ActionQuery, ActionView, AnyAction, Origin, Part, REJECTED_KEPT_DAYS, RejectedView, ResultView,
};
pub use api_key::{API_KEY_LIFETIME_MAX, API_KEYS_PER_USER_MAX, NewKey};
pub use auth::{Caller, Credentials, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, SignedIn, generate_password};
pub use certificate::{
    BundlePage, BundleQuery, BundleView, CertificateView, ISSUANCES_PER_QUERY_MAX, Issuance, Period, QUERY_BUNDLES_MAX,
    issuance_id, parse_issuance_id,
};
pub use clock::Clock;
pub use device::{DeviceFilter, FleetShare};
pub use elexon::{Capacity, ELEXON_UNITS_MAX, ElexonRequest, ElexonSchedule, Fetched};
pub use error::Error;
pub use event::{CertificateNumber, EventPage, EventQuery, EventView, FieldView};
pub use export::{BundleExport, ExportError, write_bundles};
pub use holding::{EXPIRING_DAYS, Holdings};
pub use idempotency::{Entered, KEPT_ANSWER_BYTES_MAX, KEPT_FOR, KEY_CHARS_MAX, Kept, KeptAnswer, RequestHash, Ticket};
pub use import::{Format, RowFault, ZoneOfTimes, parse_energy, parse_instant};
pub use issue::{ISSUE_DRY_RUN_READINGS_MAX, IssueRequest, IssueSource};
pub use job::{JobQuery, JobView, Progress, RefusedReading};
pub use lineage::{Held, LINEAGE_BUNDLES_MAX, LINEAGE_EVENTS_MAX, Lineage, LineageBundle, Relation};
pub use listing::{BundleList, BundleListing, BundleSum, LISTING_LOOKS_MAX};
pub use live_check::{LiveCheck, LiveLine};
pub use measure::{Histogram, Measured};
pub use measurement::{
    Coverage, CoveredHour, DayCoverage, INTERVAL_BUNDLES_MAX, IssuedBundle, MeasurementPage, MeasurementQuery,
    MeasurementView, REJECTED_LISTED_MAX, ReadingHistory, ReadingsReport, RejectedRow,
};
pub use names::{Nameless, Names};
pub use order_run::{OrderPreview, Rehearsed, RunRefused, RunView};
pub use page::{Page, Paging};
pub use production::{PRODUCTION_DEVICES_MAX, Production, ProductionMonth};
pub use register::{AccountView, DeviceView, MetadataView, UserView};
pub use registry::{Health, OpenError, Registry};
pub use seed::{SeedCount, SeedError, SeedFault, SeedFinding, SeedReport, SeedTable, SeedVerdict};
pub use settings::Settings;
pub use sheet::{Cell, Sheet, SheetFormat};
pub use source::{Settings as SourceSettings, Wait};
pub use storage::{
    Allocated, COURSE_RECORDS_MAX, ChargeView, DischargeView, Discharged, DrawView, DrawnOn, StorageChain,
    StorageCourse, StorageFlow, StorageQuery, StorageStep, StorageSummary, StorageUse, Unrecorded,
};
pub use store::bundle::{Place, listing::Order};
pub use store::job::{JobKind, JobState};
pub use store::{MIGRATIONS, Url};
pub use work::{Answer, Done, Pending};
