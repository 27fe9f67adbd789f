//! The account picker.

use crate::failure::Failure;
use crate::form::Parameters;
use crate::frame::{Frame, show};
use crate::limits::ACCOUNTS_PER_PAGE;
use crate::visitor::{Known, Visitor};
use crate::{Ui, format};
use app::{AccountView, Paging};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::Capability;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/accounts", get(list))
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    reads_all: bool,
    reads_devices: bool,
    /// The address of the next page.
    next: Option<String>,
}

struct Row {
    account: Known,
    users: String,
    senders: String,
    is_own: bool,
}

async fn list(State(ui): State<Ui>, visitor: Visitor, Parameters(fields): Parameters) -> Result<Response, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let paging = Paging { limit: ACCOUNTS_PER_PAGE, after: fields.number("after") };
    let page = ui.blocking(move |registry| registry.accounts(&caller, false, paging, fresh)).await?;
    let rows = page.entries.into_iter().map(|view| Row::of(&visitor, view)).collect();
    let next = page.next.map(|after| format!("/ui/accounts?{}", fields.with("after", Some(&after.to_string()))));
    let reads_all = visitor.may(Capability::ReadEverything);
    let reads_devices = visitor.may(Capability::ReadDevices);
    let frame = Frame::of(&visitor, "Accounts", "/ui/accounts");
    show(&Page { frame, rows, reads_all, reads_devices, next })
}

impl Row {
    fn of(visitor: &Visitor, view: AccountView) -> Self {
        Self {
            users: format::count(view.user_ids.len(), "user"),
            senders: format::count(view.whitelist.len(), "account"),
            is_own: visitor.belongs_to(view.account.id),
            account: Known::of(view),
        }
    }
}
