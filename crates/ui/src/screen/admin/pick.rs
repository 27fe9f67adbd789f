//! What the forms of the administration offer to choose from: accounts, users and organisations, by name.
//!
//! Bounded: up to [`PICKS_MAX`] stand in a list; where there are more, a field is typed, and those that a search finds are
//! suggested. Whatever is chosen is asked of the API as numbers.

use super::kind::{Input, Reader};
use super::needs_administrator;
use crate::Ui;
use crate::failure::Failure;
use crate::form::Parameters;
use crate::frame::show;
use crate::limits::{PICKS_FOUND_MAX, PICKS_LOOKED_AT_MAX, PICKS_MAX};
use crate::screen::names::Directory;
use crate::visitor::Visitor;
use app::{Error, Nameless, Paging, UserView};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

/// What is chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    Accounts,
    Users,
    Organisations,
}

/// Something to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub value: String,
    pub name: String,
    pub is_chosen: bool,
}

/// What a field offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is only typed.
    Nothing,
    /// Names to take over, and where more are found if these are not all.
    Names(Vec<String>, Option<&'static str>),
    /// One of these, or none.
    One(Vec<Choice>),
    /// Any of these.
    Any(Vec<Choice>),
    /// What was chosen of more than can be listed, and where others are found.
    Search(Vec<Choice>, &'static str),
}

/// The suggestions of a field.
#[derive(Template)]
#[template(path = "admin_found.html")]
struct Found {
    found: Vec<String>,
}

/// What a page of a list held, and where the next one begins.
type Listed = (Vec<(i64, String)>, Option<i64>);

impl Pick {
    /// Where they are searched by a part of their name.
    const fn search(self) -> &'static str {
        match self {
            Self::Accounts => "/ui/admin/pick/accounts",
            Self::Users => "/ui/admin/pick/users",
            Self::Organisations => "/ui/admin/pick/organisations",
        }
    }

    fn listed(self, reader: &Reader<'_>, paging: Paging<i64>) -> Result<Listed, Error> {
        let (registry, caller, fresh) = (reader.registry, reader.caller, reader.fresh);
        Ok(match self {
            Self::Accounts => {
                let page = registry.accounts(caller, false, paging, fresh)?;
                (page.entries.into_iter().map(|of| (of.account.id.0, of.account.name)).collect(), page.next)
            }
            Self::Users => {
                let page = registry.users(caller, false, paging, fresh)?;
                let named = page.entries.into_iter().map(|view| match view {
                    UserView::Whole { user, .. } => (user.id.0, format!("{} ({})", user.name, user.primary_contact)),
                    UserView::Name { id, name } => (id.0, name),
                });
                (named.collect(), page.next)
            }
            Self::Organisations => {
                let page = registry.organisations(caller, false, paging, fresh)?;
                (page.entries.into_iter().map(|of| (of.id.0, of.description.name)).collect(), page.next)
            }
        })
    }

    /// The first whose name holds the text, or whose number it is, among those that are looked at.
    fn found(self, reader: &Reader<'_>, text: &str) -> Result<Vec<(i64, String)>, Error> {
        let wanted = text.trim().to_lowercase();
        let (mut found, mut after, mut looked) = (Vec::new(), None, 0);
        while !wanted.is_empty() && found.len() < PICKS_FOUND_MAX && looked < PICKS_LOOKED_AT_MAX {
            let (entries, next) = self.listed(reader, Paging { limit: 1_000, after })?;
            looked += entries.len();
            let is_wanted =
                |(id, name): &(i64, String)| name.to_lowercase().contains(&wanted) || id.to_string() == wanted;
            found.extend(entries.into_iter().filter(is_wanted));
            after = next;
            if after.is_none() {
                break;
            }
        }
        found.truncate(PICKS_FOUND_MAX);
        Ok(found)
    }

    /// What these are called, deleted ones too; what is no number of one is called as it was typed.
    fn called(self, reader: &Reader<'_>, chosen: &[&str]) -> Result<Vec<Choice>, Error> {
        let ids = chosen.iter().filter_map(|value| value.parse().ok()).collect();
        let nameless = match self {
            Self::Accounts => Nameless { accounts: ids, ..Nameless::default() },
            Self::Users => Nameless { users: ids, ..Nameless::default() },
            Self::Organisations => Nameless { organisations: ids, ..Nameless::default() },
        };
        let directory = Directory::of(reader.registry, reader.caller, &nameless, reader.fresh)?;
        let of = |value: &&str| {
            let called = |id: i64| match self {
                Self::Accounts => directory.account(id).name,
                Self::Users => directory.user(Some(id)).name,
                Self::Organisations => directory.organisation(id).name,
            };
            let name = value.parse().map_or_else(|_| (*value).to_owned(), called);
            Choice { value: (*value).to_owned(), name, is_chosen: true }
        };
        Ok(chosen.iter().map(of).collect())
    }
}

impl Offer {
    /// Of a field into which this was chosen or typed.
    pub(super) fn of(reader: &Reader<'_>, pick: Option<Pick>, input: Input, chosen: &[&str]) -> Result<Self, Error> {
        let Some(pick) = pick else { return Ok(Self::Nothing) };
        let (all, next) = pick.listed(reader, Paging { limit: PICKS_MAX, after: None })?;
        let is_all = next.is_none();
        if input == Input::Text {
            let search = (!is_all).then_some("/ui/admin/pick/organisation-names");
            return Ok(Self::Names(all.into_iter().map(|(_, name)| name).collect(), search));
        }
        if !is_all {
            return Ok(Self::Search(pick.called(reader, chosen)?, pick.search()));
        }
        let all = all.into_iter().map(|(id, name)| (id.to_string(), name));
        let of = |(value, name): (String, String)| Choice { is_chosen: chosen.contains(&value.as_str()), value, name };
        let mut choices: Vec<Choice> = all.map(of).collect();
        let is_missing = |value: &&&str| !choices.iter().any(|choice| choice.value == **value);
        let missing: Vec<&str> = chosen.iter().filter(is_missing).copied().collect();
        choices.splice(0..0, pick.called(reader, &missing)?);
        Ok(if input == Input::Number { Self::One(choices) } else { Self::Any(choices) })
    }

    /// What stands in the field that is typed, where it offers something else.
    pub(super) fn typed(&self, value: String, input: Input) -> String {
        match (self, input) {
            (Self::Search(chosen, _), Input::Number) => {
                chosen.first().map_or(value, |choice| format!("{}: {}", choice.value, choice.name))
            }
            (_, Input::Numbers) => String::new(),
            (_, Input::Text | Input::Number | Input::Password) => value,
        }
    }
}

/// Suggestions for what is being typed.
pub(super) async fn found(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(what): Path<String>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    let (pick, is_name) = match what.as_str() {
        "accounts" => (Pick::Accounts, false),
        "users" => (Pick::Users, false),
        "organisations" => (Pick::Organisations, false),
        "organisation-names" => (Pick::Organisations, true),
        _ => return Err(Failure::NoSuchPage),
    };
    // The field sends itself, whatever it is called.
    let text = given.into_iter().next().map_or_else(String::new, |(_, text)| text);
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let found = ui.blocking(move |registry| pick.found(&Reader { registry, caller: &caller, fresh }, &text)).await?;
    let suggestion = |(id, name): (i64, String)| if is_name { name } else { format!("{id}: {name}") };
    show(&Found { found: found.into_iter().map(suggestion).collect() })
}
