//! Organisations.

use db::{Connection, Result, Row, Select, Value};
use domain::{Organisation, OrganisationDescription, OrganisationId, UserId};

macro_rules! columns {
    () => {
        "o.id, o.name, o.business_id, o.primary_contact, o.address, o.website, o.is_deleted, o.created_at"
    };
}

/// Of one member's accounts only.
const BEHIND_ACCOUNTS_OF: &str = "o.id IN (SELECT a.organisation_id FROM account_user m \
     JOIN account a ON a.id = m.account_id WHERE m.user_id = ? AND NOT a.is_deleted)";

fn organisation_of(row: &Row<'_>) -> Result<Organisation> {
    Ok(Organisation {
        id: OrganisationId(row.get(0)?),
        description: OrganisationDescription {
            name: row.get(1)?,
            business_id: row.get(2)?,
            primary_contact: row.get(3)?,
            address: row.get(4)?,
            website: row.get(5)?,
        },
        is_deleted: row.get(6)?,
        created_at: row.get(7)?,
    })
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Organisation>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM organisation o WHERE o.id IN rarray($1)"),
        &[ids.into()],
        organisation_of,
    )
}

/// The organisation, if it stands behind an account of this member's; of no member: in any case.
pub fn by_id_for(
    connection: &mut Connection,
    id: OrganisationId,
    member: Option<UserId>,
) -> Result<Option<Organisation>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM organisation o"))
        .and("o.id = ?", Some(id.0))
        .and(BEHIND_ACCOUNTS_OF, member.map(|user| user.0));
    Ok(connection.select(&select, organisation_of)?.into_iter().next())
}

/// Up to `limit` organisations behind an id, in the order of ids, of this member's accounts; of no member: all there are.
pub fn list(
    connection: &mut Connection,
    member: Option<UserId>,
    with_deleted: bool,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Organisation>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM organisation o"))
        .and("o.id > ?", after)
        .and_if(!with_deleted, "NOT o.is_deleted")
        .and(BEHIND_ACCOUNTS_OF, member.map(|user| user.0))
        .tail("ORDER BY o.id LIMIT ?", limit);
    connection.select(&select, organisation_of)
}

pub fn taken_names(connection: &mut Connection, names: &[String]) -> Result<Vec<String>> {
    connection.query(
        "SELECT o.name FROM organisation o WHERE o.name IN rarray_text($1) AND NOT o.is_deleted",
        &[Value::Texts(names)],
        |r| r.get(0),
    )
}

pub fn update(tx: &mut Connection, id: OrganisationId, description: &OrganisationDescription) -> Result<()> {
    tx.execute(
        "UPDATE organisation SET name = $2, business_id = $3, primary_contact = $4, address = $5, website = $6 \
         WHERE id = $1",
        &[
            id.0.into(),
            description.name.as_str().into(),
            description.business_id.as_str().into(),
            description.primary_contact.as_str().into(),
            description.address.as_deref().into(),
            description.website.as_deref().into(),
        ],
    )?;
    Ok(())
}

pub fn delete(tx: &mut Connection, id: OrganisationId) -> Result<()> {
    tx.execute("UPDATE organisation SET is_deleted = TRUE WHERE id = $1", &[id.0.into()])?;
    Ok(())
}

pub fn insert(tx: &mut Connection, organisation: &Organisation) -> Result<()> {
    let description = &organisation.description;
    tx.execute(
        "INSERT INTO organisation (id, name, business_id, primary_contact, address, website, is_deleted, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            organisation.id.0.into(),
            description.name.as_str().into(),
            description.business_id.as_str().into(),
            description.primary_contact.as_str().into(),
            description.address.as_deref().into(),
            description.website.as_deref().into(),
            organisation.is_deleted.into(),
            organisation.created_at.into(),
        ],
    )?;
    Ok(())
}
