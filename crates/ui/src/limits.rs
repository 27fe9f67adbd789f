//! Every limit of the screens, with its name.

use jiff::SignedDuration;
use std::time::Duration;

/// Bytes of a form. The largest names as many bundles as one action takes.
pub(crate) const FORM_BYTES_MAX: usize = 1024 * 1024;
/// How long a form may take to arrive.
pub(crate) const FORM_ARRIVES_IN: Duration = Duration::from_secs(30);
/// Fields of one form.
pub(crate) const FORM_FIELDS_MAX: usize = 20_000;
/// Characters of a cookie's value that are worth a look.
pub(crate) const COOKIE_CHARS_MAX: usize = 200;
/// Characters of an address that sign-in leads back to.
pub(crate) const NEXT_CHARS_MAX: usize = 2_000;
/// Accounts of the account picker on one page.
pub(crate) const ACCOUNTS_PER_PAGE: usize = 100;
/// Bundles of one page of an account's certificates.
pub(crate) const BUNDLES_PER_PAGE: usize = 100;
/// Bundles of an account that are sorted by another column than that of production.
pub(crate) const SORTED_MAX: usize = 2_000;
/// Bundles that are selected at once: what one action takes.
pub(crate) const SELECTED_MAX: usize = domain::action::BUNDLES_PER_ACTION_MAX;
/// Accounts that a transfer may choose from, and devices that a filter may.
pub(crate) const CHOICES_MAX: usize = 1_000;
/// Bundles that one page shows of what an action did or would do, of a lineage, and the events of one.
pub(crate) const RESULTS_PER_PAGE: usize = 200;
/// How long a form that was sent twice waits until the first is done.
pub(crate) const FIRST_FORM_WAIT: Duration = Duration::from_secs(10);
/// Accounts of one list of a whitelist on one page.
pub(crate) const WHITELIST_PER_PAGE: usize = 100;
/// Readings on one page of a device's.
pub(crate) const READINGS_PER_PAGE: usize = 100;
/// Devices whose hours of a day are on one page.
pub(crate) const DEVICES_PER_DAY_PAGE: usize = 50;
/// Devices on one page of a list.
pub(crate) const DEVICES_PER_PAGE: usize = 100;
/// Technologies of a fleet that stand alone.
pub(crate) const TECHNOLOGIES_SHOWN_MAX: usize = 12;
/// Bytes of an upload up to its file, fields before that file, and bytes of each of them.
pub(crate) const UPLOAD_BYTES_BEFORE_FILE_MAX: usize = 1024 * 1024;
pub(crate) const UPLOAD_FIELDS_MAX: usize = 8;
pub(crate) const UPLOAD_FIELD_BYTES_MAX: usize = 1_000;
/// Rejected rows of an upload of which the readings that stand there are looked up.
pub(crate) const READINGS_LED_TO_MAX: usize = 50;
/// Rejected rows of an upload on one page.
pub(crate) const REJECTED_SHOWN_MAX: usize = 200;
/// Devices, and metadata, that an issue may choose from by name.
pub(crate) const DEVICES_TO_CHOOSE_MAX: usize = 300;
pub(crate) const METADATA_PER_PAGE: usize = 100;
/// Jobs, refused readings and bundles of a job on one page.
pub(crate) const JOBS_SHOWN_MAX: usize = 10;
pub(crate) const JOB_REFUSED_SHOWN_MAX: usize = 200;
pub(crate) const JOB_BUNDLES_SHOWN_MAX: usize = 20;
/// Rejected actions among which the record of a refusal is looked for.
pub(crate) const RECORDS_LOOKED_AT_MAX: usize = 5;
/// Actions on one page of activity.
pub(crate) const ACTIONS_PER_PAGE: usize = 50;
/// Cancellations among which a search looks for a beneficiary, and letters of the name from which on it does.
pub(crate) const CANCELLATIONS_LOOKED_AT_MAX: usize = 500;
pub(crate) const BENEFICIARY_CHARS_MIN: usize = 3;
/// Accounts, and devices, that a search finds by name.
pub(crate) const HITS_MAX: usize = 20;
/// Transfers into an account that its overview tells of.
pub(crate) const RECEIVED_SHOWN_MAX: usize = 5;
/// Bundles that a receipt offers to act on at once.
pub(crate) const NEXT_BUNDLES_MAX: usize = 2_000;
/// Bundles that are named where a discharge led to them.
pub(crate) const BUNDLES_NAMED_MAX: usize = 20;
/// Devices that are named where bundles are from.
pub(crate) const ORIGINS_NAMED_MAX: usize = 3;
/// Devices and years that a plot offers.
pub(crate) const DEVICES_OFFERED_MAX: usize = 200;
pub(crate) const YEARS_OFFERED_MAX: usize = 50;
/// Standing orders of an account, and runs of one, on one page; and the next due times of one.
pub(crate) const ORDERS_PER_PAGE: usize = 50;
pub(crate) const RUNS_PER_PAGE: usize = 50;
pub(crate) const DUE_SHOWN: u32 = 6;
/// Charges, and discharges, of a storage device on one page; its readings that are offered to be recorded, and certificates
/// that are offered to back a charge.
pub(crate) const STORAGE_RECORDS_PER_PAGE: usize = 25;
pub(crate) const UNRECORDED_SHOWN_MAX: usize = 12;
pub(crate) const BACKING_SHOWN_MAX: usize = 20;
/// Days that a course of storage tells one by one; a longer one it tells by month.
pub(crate) const COURSE_DAYS_TOLD_MAX: usize = 40;
/// Rows of the administration on one page, and what one of its cells names.
pub(crate) const ADMIN_ROWS_PER_PAGE: usize = 100;
pub(crate) const CALLED_IN_A_CELL_MAX: usize = 3;
/// Events that a standby may be behind, and changes that may wait, before the health of the registry says so.
pub(crate) const REPLICA_LAG_MAX: i64 = 10_000;
pub(crate) const QUEUED_MAX: usize = 1_000;
/// Accounts, users and organisations that a form offers as a list; of more, those that a search finds are suggested: so many,
/// among so many.
pub(crate) const PICKS_MAX: usize = 300;
pub(crate) const PICKS_FOUND_MAX: usize = 20;
pub(crate) const PICKS_LOOKED_AT_MAX: usize = 20_000;
/// Events on one page of the log, and what one page shows of a list in one of them.
pub(crate) const EVENTS_PER_PAGE: usize = 50;
pub(crate) const EVENT_LIST_MAX: usize = 5;
/// What a check of the ledger found, on one page.
pub(crate) const FINDINGS_SHOWN_MAX: usize = 100;
/// How long a look at the end of the ledger is good whatever happens, and how long if nothing does.
pub(crate) const LIVE_CHECK_REST: SignedDuration = SignedDuration::from_secs(5);
pub(crate) const LIVE_CHECK_AGE_MAX: SignedDuration = SignedDuration::from_secs(60);
