//! Accounts: listed, made, renamed, given their users, deleted.

use super::kind::{Cell, Changeable, Input, Kind, Member, One, Reader, Row, Words, first_of};
use super::pick::Pick;
use crate::form::Fields;
use crate::format;
use crate::screen::names::Directory;
use app::{AccountView, Error, Nameless, Paging};
use domain::AccountId;

pub(super) struct Accounts;

impl Kind for Accounts {
    const WORDS: Words = Words {
        one: "an account",
        many: "Accounts",
        name: "Account",
        columns: &["Users", "Organisation", "Made (UTC)"],
        list: "/ui/admin/accounts",
        place: "/ui/admin/account",
        lead: "",
        none: "There is no account yet. Certificates are held in accounts.",
        create: "/account/create",
        operations: "/account",
        deleted: "This account is deleted: nobody belongs to it. What it held is still to be found.",
        delete: "Only an account without Active, Reserved and Locked bundles, and without devices.",
        has_roles: false,
    };
    const MEMBERS: &'static [Member] = &[
        Member::text("account_name", "Name", "Of one account only.", true),
        Member::of("user_ids", "Users", "All who belong to it.", Input::Numbers).picked(Pick::Users),
        Member::of("organisation_id", "Organisation", "The one behind it.", Input::Number).picked(Pick::Organisations),
    ];
    const IS_CHANGEABLE: bool = true;

    fn rows(reader: &Reader<'_>, paging: Paging<i64>) -> Result<(Vec<Row>, Option<i64>), Error> {
        let page = reader.registry.accounts(reader.caller, false, paging, reader.fresh)?;
        let directory = directory(reader, &page.entries)?;
        Ok((page.entries.into_iter().map(|view| row(view, &directory)).collect(), page.next))
    }
}

impl Changeable for Accounts {
    fn one(reader: &Reader<'_>, id: i64) -> Result<One, Error> {
        let view = reader.registry.account(reader.caller, AccountId(id), reader.fresh)?;
        let ids: Vec<String> = view.user_ids.iter().map(ToString::to_string).collect();
        let organisation = view.account.organisation_id;
        let pairs = [
            ("account_name", view.account.name.clone()),
            ("user_ids", ids.join(", ")),
            ("organisation_id", organisation.map_or_else(String::new, |id| id.to_string())),
        ];
        Ok(One {
            id,
            name: view.account.name,
            is_deleted: view.account.is_deleted,
            stated: pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Fields>(),
            roles: None,
            links: vec![
                (format!("/ui/account/{id}"), "What it holds"),
                (format!("/ui/account/{id}/whitelist"), "Who may send to it"),
                (format!("/ui/audit?entity=Account&id={id}"), "Its events"),
            ],
        })
    }
}

fn directory(reader: &Reader<'_>, views: &[AccountView]) -> Result<Directory, Error> {
    let nameless = Nameless {
        users: views.iter().flat_map(|view| view.user_ids.iter().map(|id| id.0)).collect(),
        organisations: views.iter().filter_map(|view| Some(view.account.organisation_id?.0)).collect(),
        ..Nameless::default()
    };
    Directory::of(reader.registry, reader.caller, &nameless, reader.fresh)
}

fn row(view: AccountView, directory: &Directory) -> Row {
    let users = view.user_ids.iter().map(|id| directory.user(Some(id.0)));
    let organisation = view.account.organisation_id.iter().map(|id| directory.organisation(id.0));
    Row {
        id: view.account.id.0,
        name: view.account.name,
        cells: vec![first_of(users), first_of(organisation), Cell::Time(format::instant(view.account.created_at))],
    }
}
