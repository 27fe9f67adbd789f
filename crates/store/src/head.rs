//! The ledger's head: the last event, the seal's edge and the next ids. Who holds this row owns the order of events.

use crate::code::{count, kept};
use db::{Connection, Error, Result, Row};
use domain::seal::{Frontier, Hash};
use domain::{
    AccountId, ActionId, AttributesId, BundleId, DeviceId, DrawId, EventNumber, JobId, MeasurementId, MetadataId,
    NextIds, OrganisationId, RecurringOrderId, ScrId, SdrId, UserId,
};
use jiff::Timestamp;

#[derive(Clone, Debug)]
pub struct Head {
    pub event_number: EventNumber,
    /// When the last event was recorded; time never runs backwards in the log.
    pub recorded_at: Timestamp,
    /// The leaf of the last event.
    pub leaf: Hash,
    pub frontier: Frontier,
    pub next: NextIds,
    pub next_job: JobId,
}

const SELECT: &str = "SELECT event_number, leaf, peaks, next_user, next_organisation, next_account, next_device, \
    next_measurement, next_metadata, next_attributes, next_bundle, next_action, next_job, recorded_at, \
    next_recurring_order, next_scr, next_sdr, next_draw FROM ledger_head WHERE id = 1";

fn head_of(row: &Row<'_>) -> Result<Head> {
    let peaks: &[u8] = row.get(2)?;
    let frontier = Frontier::from_bytes(count(row, 0)?, peaks);
    Ok(Head {
        event_number: EventNumber(row.get(0)?),
        leaf: row.get(1)?,
        frontier: frontier.ok_or_else(|| Error::column(2, "peaks that do not fit the number of events"))?,
        next: NextIds {
            user: UserId(row.get(3)?),
            organisation: OrganisationId(row.get(4)?),
            account: AccountId(row.get(5)?),
            device: DeviceId(row.get(6)?),
            measurement: MeasurementId(row.get(7)?),
            metadata: MetadataId(row.get(8)?),
            attributes: AttributesId(row.get(9)?),
            bundle: BundleId(row.get(10)?),
            action: ActionId(row.get(11)?),
            recurring_order: RecurringOrderId(row.get(14)?),
            scr: ScrId(row.get(15)?),
            sdr: SdrId(row.get(16)?),
            draw: DrawId(row.get(17)?),
        },
        next_job: JobId(row.get(12)?),
        recorded_at: row.get(13)?,
    })
}

/// The last ids that rows have; 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastIds {
    pub event: i64,
    pub action: i64,
    pub bundle: i64,
}

/// What the tables themselves end at: what the head says, if all is well.
pub fn last_ids(connection: &mut Connection) -> Result<LastIds> {
    connection.query_one(
        "SELECT COALESCE((SELECT MAX(e.number) FROM event e), 0), COALESCE((SELECT MAX(a.id) FROM action a), 0), \
         COALESCE((SELECT MAX(b.id) FROM bundle b), 0)",
        &[],
        |r| Ok(LastIds { event: r.get(0)?, action: r.get(1)?, bundle: r.get(2)? }),
    )
}

/// The head, locked until the transaction ends: every writer begins with it.
pub fn lock(tx: &mut Connection) -> Result<Head> {
    tx.query_locking(SELECT, &[], head_of)
}

pub fn read(connection: &mut Connection) -> Result<Head> {
    connection.query_one(SELECT, &[], head_of)
}

/// How far the log is, as this connection sees it.
pub fn event_number(connection: &mut Connection) -> Result<EventNumber> {
    connection.query_one("SELECT event_number FROM ledger_head WHERE id = 1", &[], |r| Ok(EventNumber(r.get(0)?)))
}

pub fn save(tx: &mut Connection, head: &Head) -> Result<()> {
    let (peaks, next) = (head.frontier.to_bytes(), &head.next);
    let changed = tx.execute(
        "UPDATE ledger_head SET event_number = $1, leaf = $2, peaks = $3, next_user = $4, next_organisation = $5, \
         next_account = $6, next_device = $7, next_measurement = $8, next_metadata = $9, next_attributes = $10, \
         next_bundle = $11, next_action = $12, next_job = $13, recorded_at = $14, \
         next_recurring_order = $15, next_scr = $16, next_sdr = $17, next_draw = $18 WHERE id = 1",
        &[
            kept(head.frontier.size()).into(),
            (&head.leaf).into(),
            peaks.as_slice().into(),
            next.user.0.into(),
            next.organisation.0.into(),
            next.account.0.into(),
            next.device.0.into(),
            next.measurement.0.into(),
            next.metadata.0.into(),
            next.attributes.0.into(),
            next.bundle.0.into(),
            next.action.0.into(),
            head.next_job.0.into(),
            head.recorded_at.into(),
            next.recurring_order.0.into(),
            next.scr.0.into(),
            next.sdr.0.into(),
            next.draw.0.into(),
        ],
    )?;
    if changed == 1 { Ok(()) } else { Err(Error::NoRow) }
}
