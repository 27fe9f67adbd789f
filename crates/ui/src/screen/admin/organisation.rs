//! Organisations: listed, made, changed, deleted.

use super::kind::{Cell, Changeable, Kind, Member, One, Reader, Row, Words};
use crate::form::Fields;
use crate::format;
use app::{Error, Paging};
use domain::{Organisation, OrganisationId};

pub(super) struct Organisations;

impl Kind for Organisations {
    const WORDS: Words = Words {
        one: "an organisation",
        many: "Organisations",
        name: "Organisation",
        columns: &["Business id", "Contact", "Address", "Website", "Made (UTC)"],
        list: "/ui/admin/organisations",
        place: "/ui/admin/organisation",
        lead: "The companies and bodies behind accounts.",
        none: "There is no organisation yet. Accounts do without, too.",
        create: "/organisation/create",
        operations: "/organisation",
        deleted: "This organisation is deleted: its name is free again, and accounts keep it behind them.",
        delete: "Its name is free again; accounts keep it behind them.",
        has_roles: false,
    };
    const MEMBERS: &'static [Member] = &[
        Member::text("name", "Name", "Of one organisation only.", true),
        Member::text("business_id", "Business id", "The number under which it is registered.", true),
        Member::text("primary_contact", "Contact", "Whom to write to.", true),
        Member::text("address", "Address", "", false),
        Member::text("website", "Website", "", false),
    ];
    const IS_CHANGEABLE: bool = true;

    fn rows(reader: &Reader<'_>, paging: Paging<i64>) -> Result<(Vec<Row>, Option<i64>), Error> {
        let page = reader.registry.organisations(reader.caller, false, paging, reader.fresh)?;
        Ok((page.entries.into_iter().map(row).collect(), page.next))
    }
}

impl Changeable for Organisations {
    fn one(reader: &Reader<'_>, id: i64) -> Result<One, Error> {
        let found = reader.registry.organisation(reader.caller, OrganisationId(id), reader.fresh)?;
        let about = found.description;
        let pairs = [
            ("name", about.name.clone()),
            ("business_id", about.business_id),
            ("primary_contact", about.primary_contact),
            ("address", about.address.unwrap_or_default()),
            ("website", about.website.unwrap_or_default()),
        ];
        Ok(One {
            id,
            name: about.name,
            is_deleted: found.is_deleted,
            stated: pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Fields>(),
            roles: None,
            links: vec![(format!("/ui/audit?entity=Organisation&id={id}"), "Its events")],
        })
    }
}

fn row(found: Organisation) -> Row {
    let about = found.description;
    let optional = |text: Option<String>| Cell::Text(text.unwrap_or_default());
    Row {
        id: found.id.0,
        name: about.name,
        cells: vec![
            Cell::Text(about.business_id),
            Cell::Text(about.primary_contact),
            optional(about.address),
            optional(about.website),
            Cell::Time(format::instant(found.created_at)),
        ],
    }
}
