//! Users: listed, made, changed, trusted with roles, deleted.

use super::kind::{Cell, Changeable, Input, Kind, Member, One, Reader, Row, Words, first_of};
use super::pick::Pick;
use crate::format;
use crate::screen::names::Directory;
use app::{Error, Nameless, Paging, UserView};
use domain::{AccountId, Refusal, Role, User, UserId};

pub(super) struct Users;

impl Kind for Users {
    const WORDS: Words = Words {
        one: "a user",
        many: "Users",
        name: "Name",
        columns: &["Signs in as", "Organisation", "Roles", "Accounts", "Made (UTC)"],
        list: "/ui/admin/users",
        place: "/ui/admin/user",
        lead: "",
        none: "There are no more users.",
        create: "/user/create",
        operations: "/user",
        deleted: "This user is deleted: they cannot sign in, and belong to no account.",
        delete: "They cannot sign in any more. What they did stays theirs.",
        has_roles: true,
    };
    const MEMBERS: &'static [Member] = &[
        Member::text("name", "Name", "", true),
        Member::text("primary_contact", "Signs in as", "An address, of one user only.", true),
        Member::text("organisation", "Organisation", "Its name, as they state it.", false).picked(Pick::Organisations),
        Member::of("account_ids", "Accounts", "Those that they belong to.", Input::Numbers).picked(Pick::Accounts),
        Member::of("password", "Password", "At least 8 characters. Without one they cannot sign in.", Input::Password),
    ];
    const IS_CHANGEABLE: bool = true;

    fn rows(reader: &Reader<'_>, paging: Paging<i64>) -> Result<(Vec<Row>, Option<i64>), Error> {
        let page = reader.registry.users(reader.caller, false, paging, reader.fresh)?;
        let whole = page.entries.into_iter().filter_map(|view| match view {
            UserView::Whole { user, accounts } => Some((user, accounts)),
            UserView::Name { .. } => None,
        });
        let whole: Vec<(User, Vec<AccountId>)> = whole.collect();
        let directory = directory(reader, whole.iter().flat_map(|(_, accounts)| accounts))?;
        Ok((whole.into_iter().map(|(user, accounts)| row(user, &accounts, &directory)).collect(), page.next))
    }
}

impl Changeable for Users {
    fn one(reader: &Reader<'_>, id: i64) -> Result<One, Error> {
        let (user, accounts) = match reader.registry.user(reader.caller, UserId(id), reader.fresh)? {
            UserView::Whole { user, accounts } => (user, accounts),
            UserView::Name { .. } => {
                return Err(Refusal::Forbidden { needs: "the role Registry Administrator".to_owned() }.into());
            }
        };
        let ids: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        let pairs = [
            ("name", user.name.clone()),
            ("primary_contact", user.primary_contact),
            ("organisation", user.organisation.unwrap_or_default()),
            ("account_ids", ids.join(", ")),
        ];
        Ok(One {
            id,
            name: user.name,
            is_deleted: user.is_deleted,
            stated: pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            roles: Some(user.roles),
            links: vec![
                (format!("/ui/audit?entity=User&id={id}"), "Their events"),
                (format!("/ui/audit?actor={id}"), "What they did"),
            ],
        })
    }
}

fn directory<'a>(reader: &Reader<'_>, accounts: impl IntoIterator<Item = &'a AccountId>) -> Result<Directory, Error> {
    let nameless = Nameless { accounts: accounts.into_iter().map(|id| id.0).collect(), ..Nameless::default() };
    Directory::of(reader.registry, reader.caller, &nameless, reader.fresh)
}

fn row(user: User, accounts: &[AccountId], directory: &Directory) -> Row {
    Row {
        id: user.id.0,
        name: user.name,
        cells: vec![
            Cell::Text(user.primary_contact),
            Cell::Text(user.organisation.unwrap_or_default()),
            Cell::Tags(user.roles.iter().map(Role::name).collect()),
            first_of(accounts.iter().map(|id| directory.administered_account(id.0))),
            Cell::Time(format::instant(user.created_at)),
        ],
    }
}
