//! Recurring orders.

use crate::code::{coded, count, kept, optional_coded};
use db::{Connection, Error, Result, Row, Select};
use domain::recurring_order::{OrderDeed, OrderKind, OrderState, OrderTerms, PeriodUnit};
use domain::{
    AccountId, DeviceId, EnergySource, Portion, Ratio, RecurringOrder, RecurringOrderId, Schedule, UserId, WattHours,
};
use jiff::Timestamp;

macro_rules! columns {
    () => {
        "o.id, o.kind, o.source_id, o.target_id, o.beneficiary, o.beneficiary_account_id, o.purpose, o.first_at, \
         o.period_unit, o.period_quantity, o.runs, o.device_id, o.energy_source, o.quantity, o.share, o.ordered_by, \
         o.created_at, o.state, o.next_due_at, o.runs_done"
    };
}

/// Of one member's accounts only.
const OF_ACCOUNTS_OF: &str = "o.source_id IN (SELECT m.account_id FROM account_user m WHERE m.user_id = ?)";

fn order_of(row: &Row<'_>) -> Result<RecurringOrder> {
    let small =
        |index| u32::try_from(count(row, index)?).map_err(|_| Error::column(index, "a number that is too large"));
    let runs: Option<i64> = row.get(10)?;
    let device: Option<i64> = row.get(11)?;
    Ok(RecurringOrder {
        id: RecurringOrderId(row.get(0)?),
        terms: OrderTerms {
            deed: deed_of(row)?,
            source: AccountId(row.get(2)?),
            schedule: Schedule {
                first_at: row.get(7)?,
                unit: coded(row, 8, PeriodUnit::from_code)?,
                every: small(9)?,
                runs: runs.map(|_| small(10)).transpose()?,
            },
            device: device.map(DeviceId),
            energy_source: optional_coded(row, 12, EnergySource::from_code)?,
            portion: portion_of(row)?,
        },
        ordered_by: row.get(15)?,
        created_at: row.get(16)?,
        state: coded(row, 17, OrderState::from_code)?,
        next_due_at: row.get(18)?,
        runs_done: small(19)?,
    })
}

fn deed_of(row: &Row<'_>) -> Result<OrderDeed> {
    Ok(match coded(row, 1, OrderKind::from_code)? {
        OrderKind::Transfer => OrderDeed::Transfer { target: AccountId(row.get(3)?) },
        OrderKind::Cancel => {
            let account: Option<i64> = row.get(5)?;
            let beneficiary_account = account.map(AccountId);
            OrderDeed::Cancel { beneficiary: row.get(4)?, beneficiary_account, purpose: row.get(6)? }
        }
    })
}

fn portion_of(row: &Row<'_>) -> Result<Portion> {
    let (quantity, share): (Option<i64>, Option<i64>) = (row.get(13)?, row.get(14)?);
    Ok(match (quantity, share) {
        (Some(_), _) => Portion::Quantity(WattHours(count(row, 13)?)),
        (None, Some(_)) => Portion::Share(Ratio::from_quintillionths(count(row, 14)?)),
        (None, None) => Portion::Whole,
    })
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<RecurringOrder>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM recurring_order o WHERE o.id IN rarray($1)"),
        &[ids.into()],
        order_of,
    )
}

/// Which of these orders are of these accounts.
pub fn of_accounts(connection: &mut Connection, ids: &[i64], accounts: &[i64]) -> Result<Vec<RecurringOrderId>> {
    connection.query(
        "SELECT o.id FROM recurring_order o WHERE o.id IN rarray($1) AND o.source_id IN rarray($2)",
        &[ids.into(), accounts.into()],
        |row| Ok(RecurringOrderId(row.get(0)?)),
    )
}

/// Up to `limit` orders behind an id, in the order of ids; of one source, and of this member's accounts; of no member: of all.
pub fn list(
    connection: &mut Connection,
    member: Option<UserId>,
    source: Option<AccountId>,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<RecurringOrder>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM recurring_order o"))
        .and("o.id > ?", after)
        .and("o.source_id = ?", source.map(|id| id.0))
        .and(OF_ACCOUNTS_OF, member.map(|user| user.0))
        .tail("ORDER BY o.id LIMIT ?", limit);
    connection.select(&select, order_of)
}

pub fn insert(tx: &mut Connection, order: &RecurringOrder) -> Result<()> {
    let (terms, schedule) = (&order.terms, &order.terms.schedule);
    let (mut target, mut beneficiary, mut beneficiary_account, mut purpose) = (None, None, None, None);
    match &terms.deed {
        OrderDeed::Transfer { target: account } => target = Some(account.0),
        OrderDeed::Cancel { beneficiary: name, beneficiary_account: account, purpose: why } => {
            (beneficiary, purpose) = (name.as_deref(), why.as_deref());
            beneficiary_account = account.map(|id| id.0);
        }
    }
    let (quantity, share) = match terms.portion {
        Portion::Whole => (None, None),
        Portion::Quantity(quantity) => (Some(kept(quantity.0)), None),
        Portion::Share(share) => (None, share.quintillionths().map(kept)),
    };
    tx.execute(
        "INSERT INTO recurring_order (id, kind, source_id, target_id, beneficiary, beneficiary_account_id, purpose, \
         first_at, period_unit, period_quantity, runs, device_id, energy_source, quantity, share, ordered_by, created_at, \
         state, next_due_at, runs_done) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        &[
            order.id.0.into(),
            terms.deed.kind().code().into(),
            terms.source.0.into(),
            target.into(),
            beneficiary.into(),
            beneficiary_account.into(),
            purpose.into(),
            schedule.first_at.into(),
            schedule.unit.code().into(),
            i64::from(schedule.every).into(),
            schedule.runs.map(i64::from).into(),
            terms.device.map(|id| id.0).into(),
            terms.energy_source.map(EnergySource::code).into(),
            quantity.into(),
            share.into(),
            order.ordered_by.into(),
            order.created_at.into(),
            order.state.code().into(),
            order.next_due_at.into(),
            i64::from(order.runs_done).into(),
        ],
    )?;
    Ok(())
}

/// The one that is due first at `now`, of those that are not among `passed_over`.
pub fn due(connection: &mut Connection, now: Timestamp, passed_over: &[i64]) -> Result<Option<RecurringOrder>> {
    connection.query_optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM recurring_order o WHERE o.next_due_at <= $1 AND o.state = $2 AND NOT (o.id IN rarray($3)) \
             ORDER BY o.next_due_at, o.id LIMIT 1"
        ),
        &[now.into(), OrderState::Active.code().into(), passed_over.into()],
        order_of,
    )
}

/// Writes what may change of an order.
pub(crate) fn update(tx: &mut Connection, order: &RecurringOrder) -> Result<()> {
    tx.execute(
        "UPDATE recurring_order SET state = $2, next_due_at = $3, runs_done = $4 WHERE id = $1",
        &[order.id.0.into(), order.state.code().into(), order.next_due_at.into(), i64::from(order.runs_done).into()],
    )?;
    Ok(())
}

pub fn end(tx: &mut Connection, id: RecurringOrderId) -> Result<()> {
    tx.execute(
        "UPDATE recurring_order SET state = $2, next_due_at = NULL WHERE id = $1",
        &[id.0.into(), OrderState::Ended.code().into()],
    )?;
    Ok(())
}
