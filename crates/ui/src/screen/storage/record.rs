//! One charge, and one discharge: what backs it, what it draws, what was issued on it, and the forms of the issuer.

use super::super::names::Names;
use super::{Factor, backed_by, column, device_storage, frame_of, wh};
use crate::Ui;
use crate::failure::Failure;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::RESULTS_PER_PAGE;
use crate::visitor::{Known, Visitor};
use crate::words::Refused;
use app::{BundleView, ChargeView, DischargeView, DrawView};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{Capability, ScrId, SdrId, WattHours};

/// What both kinds of record say of their place.
struct Place {
    id: i64,
    device_id: i64,
    device: String,
    interval: Markup,
    created: Markup,
    is_withdrawn: bool,
}

#[derive(Template)]
#[template(path = "storage_scr.html")]
pub(super) struct ChargePage {
    frame: Frame,
    place: Place,
    figures: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    /// The bundle that backs it.
    bundle: Option<i64>,
    is_bundle_open: bool,
    drawn_by: Vec<i64>,
    may_withdraw: bool,
    refused: Option<Refused>,
}

#[derive(Template)]
#[template(path = "storage_sdr.html")]
pub(super) struct DischargePage {
    frame: Frame,
    place: Place,
    figures: Vec<(&'static str, String)>,
    method: &'static str,
    factor: Factor,
    draws: Vec<Draw>,
    bundles: Vec<Issued>,
    has_more_bundles: bool,
    /// What is told where there are none to show.
    no_bundles: &'static str,
    may_issue: bool,
    may_withdraw: bool,
    refused: Option<Refused>,
}

/// What a discharge draws of a charge.
pub(super) struct Draw {
    pub scr: i64,
    pub source: String,
    pub backed: String,
    pub unbacked: String,
    pub certificates: String,
    pub issued: Option<String>,
    pub lost: String,
}

/// A bundle that was issued on a discharge.
struct Issued {
    id: i64,
    first: String,
    last: String,
    energy: Markup,
    source: &'static str,
    status: &'static str,
    tone: &'static str,
    holder: String,
}

pub(super) async fn charge(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    show(&charge_page(&ui, &visitor, id, None).await?)
}

pub(super) async fn charge_page(
    ui: &Ui,
    visitor: &Visitor,
    id: i64,
    refused: Option<Refused>,
) -> Result<ChargePage, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (view, device, account) = ui
        .blocking(move |registry| {
            let view = registry.charge(&caller, ScrId(id), fresh)?;
            let device = registry.device(&caller, view.scr.device_id, fresh)?;
            let account = Known::of(registry.account(&caller, view.account_id, fresh)?);
            Ok((view, device.description.name, account))
        })
        .await?;
    let ChargeView { scr, allocated, drawn_by, .. } = view;
    let open = scr.open();
    let (matching, source) = (scr.matching_method.clone(), backed_by(allocated.as_ref()));
    let facts = [
        ("Of", Some(account.name.clone())),
        ("Issuance", allocated.as_ref().map(|of| of.issuance_id.clone())),
        (
            "Certificates",
            allocated.as_ref().map(|of| {
                format!("{}–{}", format::thousands(of.bundle.range.first()), format::thousands(of.bundle.range.last()))
            }),
        ),
        ("Made from", Some(source).filter(|source| !source.is_empty())),
        ("Places matched by", matching),
    ];
    Ok(ChargePage {
        figures: vec![
            ("Charged", wh(scr.energy)),
            ("Of certificates", wh(scr.charged().backed)),
            ("Drawn", wh(scr.drawn.total())),
            ("Left in the reservoir", wh(open.total())),
        ],
        facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        bundle: allocated.as_ref().map(|of| of.bundle.id.0),
        is_bundle_open: allocated.as_ref().is_some_and(|of| super::may_read(visitor, of.bundle.account_id)),
        drawn_by: drawn_by.iter().map(|id| id.0).collect(),
        may_withdraw: visitor.may(Capability::Issue) && !scr.is_withdrawn && scr.drawn.total() == WattHours::ZERO,
        frame: frame_of(visitor, &format!("Charge record {id}"), account),
        place: Place {
            id,
            device_id: scr.device_id.0,
            device,
            interval: format::interval(scr.interval.start(), scr.interval.end()),
            created: format::instant(scr.created_at),
            is_withdrawn: scr.is_withdrawn,
        },
        refused,
    })
}

pub(super) async fn discharge(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    show(&discharge_page(&ui, &visitor, id, None).await?)
}

pub(super) async fn discharge_page(
    ui: &Ui,
    visitor: &Visitor,
    id: i64,
    refused: Option<Refused>,
) -> Result<DischargePage, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (view, device, account, bundles, names) = ui
        .blocking(move |registry| {
            let view = registry.discharge(&caller, SdrId(id), fresh)?;
            let device = registry.device(&caller, view.sdr.device_id, fresh)?;
            let account = Known::of(registry.account(&caller, view.account_id, fresh)?);
            let bundles = registry.bundles_of_discharge(&caller, &view, fresh)?;
            let holders: Vec<i64> = bundles.iter().map(|view| view.bundle.account_id.0).collect();
            let names = Names::of(registry, &caller, holders, &[account.id.0], fresh)?;
            Ok((view, device.description.name, account, bundles, names))
        })
        .await?;
    let sum = |of: fn(&DrawView) -> WattHours| -> WattHours { view.draws.iter().map(of).sum() };
    let (certificates, live) = (sum(|view| view.draw.certificates), sum(|view| view.live));
    let (is_issuer, is_withdrawn) = (visitor.may(Capability::Issue), view.sdr.is_withdrawn);
    let DischargeView { sdr, .. } = &view;
    Ok(DischargePage {
        figures: vec![
            ("Discharged", wh(sdr.energy)),
            ("Drawn for it", wh(sum(|view| view.draw.taken.total()))),
            ("Certificates", wh(certificates)),
            ("Of them issued and live", wh(live)),
            ("Beyond the reservoir", wh(view.unrecorded())),
        ],
        method: sdr.method.name(),
        factor: Factor::of(&sdr.efficiency),
        draws: view.draws.iter().map(Draw::of).collect(),
        has_more_bundles: bundles.len() > RESULTS_PER_PAGE,
        bundles: bundles.iter().take(RESULTS_PER_PAGE).map(|bundle| Issued::of(bundle, &names)).collect(),
        no_bundles: if live > WattHours::ZERO { "They are held by others." } else { "There are none." },
        may_issue: is_issuer && !is_withdrawn && live < certificates,
        may_withdraw: is_issuer && !is_withdrawn && live == WattHours::ZERO,
        frame: frame_of(visitor, &format!("Discharge record {id}"), account),
        place: Place {
            id,
            device_id: sdr.device_id.0,
            device,
            interval: format::interval(sdr.interval.start(), sdr.interval.end()),
            created: format::instant(sdr.created_at),
            is_withdrawn,
        },
        refused,
    })
}

impl Place {
    fn storage(&self) -> String {
        device_storage(domain::DeviceId(self.device_id))
    }
}

impl Draw {
    fn of(view: &DrawView) -> Self {
        let draw = &view.draw;
        Self {
            scr: draw.scr_id.0,
            source: view.energy_source.map_or_else(String::new, |source| format::source(source).to_owned()),
            backed: column(draw.taken.backed),
            unbacked: column(draw.taken.unbacked),
            certificates: column(draw.certificates),
            issued: Some(column(view.live)),
            lost: column(draw.loss()),
        }
    }
}

impl Issued {
    fn of(view: &BundleView, names: &Names) -> Self {
        let bundle = &view.bundle;
        Self {
            id: bundle.id.0,
            first: format::thousands(bundle.range.first()),
            last: format::thousands(bundle.range.last()),
            energy: format::energy(bundle.range.quantity()),
            source: format::source(view.attributes.device.energy_source),
            status: view.status.name(),
            tone: format::tone(view.status),
            holder: names.account(bundle.account_id.0),
        }
    }
}
