//! One certificate bundle: what it states, what it came from and what became of it.
//!
//! Parts of others are shown as held elsewhere: their place and quantity, and nothing of their holder.

mod tree;

use super::act::Deed;
use super::device::may_read;
use super::names::Names;
use super::storage::Factor;
use crate::Ui;
use crate::failure::Failure;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{BUNDLES_NAMED_MAX, RESULTS_PER_PAGE};
use crate::visitor::{Known, Visitor};
use app::{
    Caller, CertificateView, DrawView, DrawnOn, Error, EventView, FieldView, LineageBundle, Registry, Relation,
    StorageChain,
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::action::PURPOSE_STORAGE;
use domain::event::decode::FieldValue;
use domain::event::{Entity, EventType};
use domain::{AccountId, BundleId, BundleStatus, Draw, EventNumber, WattHours};
use std::fmt::Write as _;
use tree::Part;

/// The way on from what was cancelled for storage.
struct Onward {
    scr: i64,
    storage: String,
    storage_id: i64,
    charged: Markup,
    discharges: Vec<Outcome>,
    has_more: bool,
}

/// What one discharge drew of it, and what was issued on that.
struct Outcome {
    sdr: i64,
    discharged: Markup,
    drawn: Markup,
    certificates: Markup,
    bundles: Vec<(i64, Markup)>,
    has_more: bool,
}

/// The way back from a certificate of a discharge.
struct Chain {
    storage: String,
    storage_id: i64,
    sdr: i64,
    discharged: Markup,
    factor: Factor,
    scr: i64,
    charged: Markup,
    cancelled: i64,
    first: String,
    last: String,
    energy: Markup,
    /// What made it, by name.
    origin: String,
    source: &'static str,
    /// Whether the records and what was cancelled are the visitor's to read.
    is_open: bool,
}

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/certificate/{id}", get(certificate))
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct Page {
    frame: Frame,
    id: i64,
    account: i64,
    status: &'static str,
    tone: &'static str,
    energy: Markup,
    exact: String,
    first: String,
    last: String,
    production: Markup,
    issued_at: Markup,
    expires_at: Markup,
    /// Of the bundle as it stands.
    facts: Vec<(&'static str, String)>,
    /// As they were at issue.
    attributes: Vec<(&'static str, String)>,
    operational: Markup,
    capacity: Markup,
    deeds: Vec<Deed>,
    /// Of one that was issued on a discharge: back to what was cancelled.
    chain: Option<Chain>,
    /// Of one that was cancelled for storage: on to what came out.
    onward: Option<Onward>,
    parts: Vec<Part>,
    /// Of the drawing, in its own units.
    height: u64,
    family: Vec<Relative>,
    has_more_family: bool,
    events: Vec<Happened>,
    has_more_events: bool,
}

/// A bundle of the lineage.
struct Relative {
    id: i64,
    is_open: bool,
    is_itself: bool,
    what: &'static str,
    parent: Option<i64>,
    first: String,
    last: String,
    energy: Markup,
    status: &'static str,
    tone: &'static str,
    holder: String,
}

struct Happened {
    number: i64,
    at: Markup,
    bundle: i64,
    what: String,
    changes: String,
    action: Option<i64>,
}

async fn certificate(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (found, lineage, names, onward) = ui
        .blocking(move |registry| {
            let found = registry.certificate(&caller, BundleId(id), fresh)?;
            let lineage = registry.lineage(&caller, BundleId(id), fresh)?;
            let bundle = &found.view.bundle;
            let beneficiary = bundle.cancellation.as_ref().and_then(|c| c.beneficiary_account);
            let held = lineage.bundles.iter().filter_map(|one| one.held.as_ref()).map(|held| held.account_id);
            let wanted = std::iter::once(bundle.account_id).chain(beneficiary).chain(held).map(|id| id.0);
            let wanted = wanted.chain(lineage.events.iter().flat_map(|event| &event.after).filter_map(account_of));
            let names = Names::of(registry, &caller, wanted.collect::<Vec<_>>(), &[bundle.account_id.0], fresh)?;
            let purpose = bundle.cancellation.as_ref().and_then(|of| of.purpose.as_deref());
            let onward =
                if purpose == Some(PURPOSE_STORAGE) { onward(registry, &caller, bundle.id, fresh)? } else { None };
            Ok((found, lineage, names, onward))
        })
        .await?;
    let bundle = &found.view.bundle;
    let account = bundle.account_id;
    let device = &found.view.attributes.device;
    let (parts, height) = tree::drawn(&lineage);
    let family: Vec<Relative> =
        lineage.bundles.iter().take(RESULTS_PER_PAGE).map(|one| Relative::of(one, &names)).collect();
    let events: Vec<Happened> =
        lineage.events.iter().take(RESULTS_PER_PAGE).map(|event| Happened::of(event, &names)).collect();
    show(&Page {
        frame: frame(&visitor, id, account, &names),
        id,
        account: account.0,
        status: found.view.status.name(),
        tone: format::tone(found.view.status),
        energy: format::energy(bundle.range.quantity()),
        exact: format::thousands(bundle.range.quantity().0),
        first: format::thousands(bundle.range.first()),
        last: format::thousands(bundle.range.last()),
        production: format::interval(bundle.production.start(), bundle.production.end()),
        issued_at: format::instant(bundle.issued_at),
        expires_at: format::instant(bundle.expires_at),
        facts: facts(&found, &names),
        attributes: attributes(&found),
        operational: format::instant(device.operational_date),
        capacity: format::power(device.capacity_watts),
        deeds: deeds(&visitor, &found),
        chain: found.chain.as_ref().map(|chain| Chain::of(chain, &found, &visitor)),
        onward,
        parts,
        height,
        has_more_family: lineage.has_more_bundles || lineage.bundles.len() > family.len(),
        family,
        has_more_events: lineage.has_more_events || lineage.events.len() > events.len(),
        events,
    })
}

fn onward(
    registry: &Registry,
    caller: &Caller,
    id: BundleId,
    fresh: Option<EventNumber>,
) -> Result<Option<Onward>, Error> {
    let Some(found) = registry.storage_use(caller, id, fresh)? else { return Ok(None) };
    let scr = &found.charge.scr;
    let storage = registry.device(caller, scr.device_id, fresh)?;
    let interval = |of: domain::Interval| format::interval(of.start(), of.end());
    let outcome = |of: &DrawnOn| {
        let sum = |of: &dyn Fn(&Draw) -> WattHours, draws: &[DrawView]| -> WattHours {
            draws.iter().map(|view| of(&view.draw)).sum()
        };
        let (sdr, draws) = (&of.discharge.sdr, &of.discharge.draws);
        let bundles = of.bundles.iter().take(BUNDLES_NAMED_MAX);
        Outcome {
            sdr: sdr.id.0,
            discharged: interval(sdr.interval),
            drawn: format::energy(sum(&|draw| draw.taken.total(), draws)),
            certificates: format::energy(sum(&|draw| draw.certificates, draws)),
            bundles: bundles.map(|view| (view.bundle.id.0, format::energy(view.bundle.range.quantity()))).collect(),
            has_more: of.bundles.len() > BUNDLES_NAMED_MAX,
        }
    };
    Ok(Some(Onward {
        scr: scr.id.0,
        storage: storage.description.name,
        storage_id: scr.device_id.0,
        charged: interval(scr.interval),
        discharges: found.discharges.iter().map(outcome).collect(),
        has_more: found.has_more,
    }))
}

fn frame(visitor: &Visitor, id: i64, account: AccountId, names: &Names) -> Frame {
    let title = format!("Bundle {id}");
    if visitor.belongs_to(account) {
        let known = Known::named(account, names.account(account.0));
        return Frame::of_account(visitor, &title, &format!("/ui/account/{account}/certificates"), known);
    }
    Frame::of(visitor, &title, "")
}

impl Chain {
    fn of(chain: &StorageChain, found: &CertificateView, visitor: &Visitor) -> Self {
        let StorageChain { sdr, scr, cancelled, storage } = chain;
        let made = &found.view.attributes;
        let interval = |of: domain::Interval| format::interval(of.start(), of.end());
        Self {
            storage: storage.device.name.clone(),
            storage_id: sdr.device_id.0,
            sdr: sdr.id.0,
            discharged: interval(sdr.interval),
            factor: Factor::of(&sdr.efficiency),
            scr: scr.id.0,
            charged: interval(scr.interval),
            cancelled: cancelled.id.0,
            first: format::thousands(cancelled.range.first()),
            last: format::thousands(cancelled.range.last()),
            energy: format::energy(cancelled.range.quantity()),
            origin: format!("{} (device {})", made.device.name, made.device_id),
            source: format::source(made.device.energy_source),
            // What was cancelled is in the account of the storage, as its records are.
            is_open: may_read(visitor, cancelled.account_id),
        }
    }
}

/// What the visitor may do with it in its state.
fn deeds(visitor: &Visitor, found: &CertificateView) -> Vec<Deed> {
    let bundle = &found.view.bundle;
    let cancellation = bundle.cancellation.as_deref();
    let beneficiary = cancellation.and_then(|c| c.beneficiary_account);
    let is_for_storage = cancellation.and_then(|c| c.purpose.as_deref()) == Some(PURPOSE_STORAGE);
    let is_for = |deed: Deed| match (deed, beneficiary) {
        // What was cancelled for storage is never claimed.
        (Deed::Claim, _) if is_for_storage => false,
        (Deed::Claim, Some(beneficiary)) => deed.is_for(visitor, beneficiary),
        _ => deed.is_for(visitor, bundle.account_id),
    };
    Deed::ALL.into_iter().filter(|deed| deed.leads_from(found.view.status) && is_for(*deed)).collect()
}

fn facts(found: &CertificateView, names: &Names) -> Vec<(&'static str, String)> {
    let bundle = &found.view.bundle;
    let cancellation = bundle.cancellation.as_deref();
    let beneficiary = cancellation.and_then(|c| c.beneficiary_account);
    let facts = [
        ("Held by", Some(names.account(bundle.account_id.0))),
        ("Issuance id", Some(found.view.issuance_id())),
        ("Beneficiary", cancellation.map(|c| c.beneficiary.clone())),
        ("Who may claim", beneficiary.map(|id| names.account(id.0))),
        ("Purpose", cancellation.and_then(|c| c.purpose.clone())),
        ("Split from", bundle.parent_id.map(|id| format!("bundle {id}"))),
        ("Hash", Some(hex(&bundle.hash))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn attributes(found: &CertificateView) -> Vec<(&'static str, String)> {
    let (attributes, stated) = (&found.view.attributes, &found.metadata.description);
    let device = &attributes.device;
    let facts = [
        ("Device", Some(format!("{} (device {})", device.name, attributes.device_id))),
        ("Energy source", Some(format::source(device.energy_source).to_owned())),
        ("Energy carrier", Some(attributes.energy_carrier.name().replace('_', " "))),
        ("Technology", Some(device.technology_type.clone())),
        ("Kind", Some(device.kind.name().to_owned())),
        ("Grid", Some(device.grid.clone())),
        ("Location", Some(device.location.clone())),
        ("Issuing body", Some(stated.issuing_body.clone())),
        ("Country", Some(stated.country_of_issuance.clone())),
        ("Market zone", Some(stated.issue_market_zone.clone())),
        ("Connected grid", Some(stated.connected_grid_identification.clone())),
        ("Legal status", stated.legal_status.clone()),
        ("Issued for", stated.issuance_purpose.clone()),
        ("Support received", stated.support_received.clone()),
        ("Quality scheme", stated.quality_scheme_reference.clone()),
        ("Dissemination", stated.dissemination_level.clone()),
        ("Face value", Some("1 Wh for each certificate".to_owned())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

const fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Itself => "this one",
        Relation::Ancestor => "split into this one",
        Relation::Descendant => "split from this one",
        Relation::Relative => "another part",
        Relation::Withdrawn => "withdrawn before",
        Relation::Replacement => "issued instead",
    }
}

impl Relative {
    fn of(one: &LineageBundle, names: &Names) -> Self {
        Self {
            id: one.id.0,
            is_open: one.held.is_some(),
            is_itself: one.relation == Relation::Itself,
            what: relation(one.relation),
            parent: one.parent_id.map(|id| id.0),
            first: format::thousands(one.range.first()),
            last: format::thousands(one.range.last()),
            energy: format::energy(one.range.quantity()),
            status: one.status.map_or("held elsewhere", BundleStatus::name),
            tone: one.status.map_or("", format::tone),
            holder: one.held.as_ref().map_or_else(String::new, |held| names.account(held.account_id.0)),
        }
    }
}

impl Happened {
    fn of(event: &EventView, names: &Names) -> Self {
        let changes: Vec<String> =
            event.after.iter().filter(|field| is_telling(event, field)).map(|field| field_text(field, names)).collect();
        Self {
            number: event.number.0,
            at: format::instant(event.recorded_at),
            bundle: event.entity_id,
            what: event.kind.name().replace('_', " "),
            changes: changes.join(", "),
            action: event.action.map(|id| id.0),
        }
    }
}

/// The account that a field names.
fn account_of(field: &FieldView) -> Option<i64> {
    match (field.name, &field.value) {
        (Some("account_id"), Some(FieldValue::Integer(id))) => Some(*id),
        _ => None,
    }
}

/// Of a creation the page says most already.
fn is_telling(event: &EventView, field: &FieldView) -> bool {
    let is_creation = event.entity == Entity::Bundle && event.event_type == EventType::Create;
    let told = ["account_id", "certificate_bundle_status", "parent_id"];
    !is_creation || field.name.is_some_and(|name| told.contains(&name))
}

fn field_text(field: &FieldView, names: &Names) -> String {
    let name = match field.name {
        Some("account_id") => "account",
        Some("certificate_bundle_status") => "state",
        Some("parent_id") => "split from",
        Some(name) => name,
        None => "a field not known to this version",
    };
    let name = name.replace('_', " ");
    if let Some(id) = account_of(field) {
        return format!("held by {}", names.account(id));
    }
    match &field.value {
        None => format!("{name} held elsewhere"),
        Some(FieldValue::Integer(number)) => format!("{name} {number}"),
        Some(FieldValue::Word(word)) => format!("{name} {word}"),
        Some(FieldValue::Instant(at)) => format!("{name} {}", format::instant_text(*at)),
        // Free text is in the log as a salted hash only.
        Some(FieldValue::Hash(_)) => format!("{name} stated"),
        Some(_) => name,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}
