//! Organisations.

use db::{Connection, Result, Row, Value};
use domain::{Organisation, OrganisationDescription, OrganisationId};

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
        "SELECT o.id, o.name, o.business_id, o.primary_contact, o.address, o.website, o.is_deleted, o.created_at \
         FROM organisation o WHERE o.id IN rarray($1)",
        &[ids.into()],
        organisation_of,
    )
}

pub fn taken_names(connection: &mut Connection, names: &[String]) -> Result<Vec<String>> {
    connection.query(
        "SELECT o.name FROM organisation o WHERE o.name IN rarray_text($1) AND NOT o.is_deleted",
        &[Value::Texts(names)],
        |r| r.get(0),
    )
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
