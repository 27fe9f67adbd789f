//! What is done with storage, in two steps: a look at what exactly it would do (the API's dry run), and then the same in
//! earnest.
//!
//! Invariant: a form that does something carries what was looked at, and sent twice it is done once.

use super::form::Kind;
use super::record::{self, Draw};
use super::{Factor, column, energy_of, frame_of, is_final, wh};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::RESULTS_PER_PAGE;
use crate::visitor::{Known, Visitor, changed};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use domain::{Device, DeviceId, Efficiency, Interval, WattHours};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a step would do.
#[derive(Template)]
#[template(path = "storage_preview.html")]
struct Preview {
    frame: Frame,
    heading: String,
    lead: &'static str,
    facts: Vec<(&'static str, String)>,
    draws: Vec<Draw>,
    made: Vec<Made>,
    action: String,
    hidden: Vec<(String, String)>,
    button: &'static str,
    may_change: bool,
    back: String,
}

/// A bundle that would be issued.
struct Made {
    first: String,
    last: String,
    energy: Markup,
    status: String,
}

/// What is to be recorded is looked at.
pub(super) fn preview_record(
    visitor: &Visitor,
    (device, account): (&Device, Known),
    kind: Kind,
    action: &str,
    given: Fields,
    answer: &Value,
) -> Result<Response, Failure> {
    let (heading, lead, facts) = match kind {
        Kind::Charge => (
            format!("Record a charge of {}?", wh(energy_of(answer, "charging_energy"))),
            "What backs it is split off: it can no longer be claimed, and not be withdrawn while the record stands.",
            facts_of_charge(&given, answer),
        ),
        Kind::Discharge => (
            format!("Record a discharge of {}?", wh(energy_of(answer, "discharge_energy"))),
            "What it draws is no longer in the reservoir. Certificates are issued on it afterwards.",
            facts_of_discharge(answer),
        ),
    };
    let about = vec![("Device", device.description.name.clone())];
    let frame = frame_of(visitor, "Storage", account);
    show(&Preview {
        frame,
        heading,
        lead,
        facts: about.into_iter().chain(facts).collect(),
        draws: draws_of(answer),
        made: Vec::new(),
        action: action.to_owned(),
        hidden: given.into_iter().filter(|(name, value)| kind.has(name) && !value.is_empty()).collect(),
        button: "Record it",
        may_change: true,
        back: super::device_storage(device.id),
    })
}

fn facts_of_charge(given: &Fields, answer: &Value) -> Vec<(&'static str, String)> {
    let (charged, backed) = (energy_of(answer, "charging_energy"), energy_of(answer, "backed_energy"));
    let mut facts = vec![
        ("Charged in (UTC)", interval_of(answer, "charging").unwrap_or_default()),
        ("Charged", wh(charged)),
        ("Of certificates", wh(backed)),
        ("Of no certificates", wh(charged.saturating_sub(backed))),
    ];
    let issuance = given.get("gc_issuance_id").map(str::to_owned);
    facts.extend(issuance.map(|issuance| ("Issuance", issuance)));
    let matching = answer["scr_geographic_matching_method"].as_str().map(str::to_owned);
    facts.extend(matching.map(|matching| ("Places matched by", matching)));
    facts
}

fn facts_of_discharge(answer: &Value) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Discharged in (UTC)", interval_of(answer, "discharging").unwrap_or_default()),
        ("Discharged", wh(energy_of(answer, "discharge_energy"))),
        ("Beyond the reservoir", wh(energy_of(answer, "unrecorded_energy"))),
        ("Allocation method", answer["scr_allocation_methodology"].as_str().unwrap_or_default().to_owned()),
    ];
    if let Some(factor) = efficiency_of(answer).as_ref().map(Factor::of) {
        facts.push(("Efficiency factor", format!("{}, exactly {}", factor.percent, factor.ratio)));
        facts.push(("Taken over", factor.interval_text));
        facts.push(("Taken of", factor.taken_of));
    }
    facts
}

fn instant_of(answer: &Value, name: &str) -> Option<Timestamp> {
    answer[name].as_str()?.parse().ok()
}

fn interval_of(answer: &Value, what: &str) -> Option<String> {
    let start = instant_of(answer, &format!("{what}_start_datetime"))?;
    let end = instant_of(answer, &format!("{what}_end_datetime"))?;
    Some(format::interval_text(start, end))
}

fn efficiency_of(answer: &Value) -> Option<Efficiency> {
    let start = instant_of(answer, "efficiency_factor_interval_start")?;
    let end = instant_of(answer, "efficiency_factor_interval_end")?;
    Some(Efficiency {
        interval: Interval::new(start, end)?,
        input: energy_of(answer, "efficiency_energy_in"),
        output: energy_of(answer, "efficiency_energy_out"),
        charge_before: energy_of(answer, "state_of_charge_start"),
        charge_after: energy_of(answer, "state_of_charge_end"),
    })
}

fn draws_of(answer: &Value) -> Vec<Draw> {
    let draw = |of: &Value| {
        Some(Draw {
            scr: of["scr_allocation_id"].as_i64()?,
            source: String::new(),
            backed: column(energy_of(of, "backed_energy")),
            unbacked: column(energy_of(of, "unbacked_energy")),
            certificates: column(energy_of(of, "certificate_quantity")),
            issued: None,
            lost: column(energy_of(of, "loss")),
        })
    };
    answer["allocations"].as_array().into_iter().flatten().filter_map(draw).take(RESULTS_PER_PAGE).collect()
}

fn made_of(answer: &Value) -> Vec<Made> {
    let made = |of: &Value| Made {
        first: format::thousands(energy_of(of, "range_start").0),
        last: format::thousands(energy_of(of, "range_end").0),
        energy: format::energy(energy_of(of, "quantity")),
        status: of["status"].as_str().unwrap_or_default().to_owned(),
    };
    answer["result"].as_array().into_iter().flatten().map(made).take(RESULTS_PER_PAGE).collect()
}

/// A step on a record that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    WithdrawCharge,
    WithdrawDischarge,
    Issue,
}

pub(super) async fn withdraw_charge(
    State(ui): State<Ui>,
    Path(id): Path<i64>,
    form: Form,
) -> Result<Response, Failure> {
    act(&ui, Step::WithdrawCharge, id, form).await
}

pub(super) async fn withdraw_discharge(
    State(ui): State<Ui>,
    Path(id): Path<i64>,
    form: Form,
) -> Result<Response, Failure> {
    act(&ui, Step::WithdrawDischarge, id, form).await
}

pub(super) async fn issue(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    act(&ui, Step::Issue, id, form).await
}

async fn act(ui: &Ui, step: Step, id: i64, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let is_preview = fields.get("step") != Some("do");
    let (operation, member) = match step {
        Step::WithdrawCharge => ("withdraw_scr", "scr_allocation_id"),
        Step::WithdrawDischarge => ("withdraw_sdr", "sdr_allocation_id"),
        Step::Issue => ("issue_sdgc", "sdr_allocation_id"),
    };
    let mut body = fields.json(&["reason"]);
    body.insert(member.to_owned(), id.into());
    let (dry_run, once) = if is_preview { ("?dry_run=true", None) } else { ("", fields.get(ONCE)) };
    let address = format!("/storage/{operation}{dry_run}");
    match ui.api.ask(&visitor.caller, Method::POST, &address, &Value::Object(body), once).await {
        Ok(answered) if is_preview => preview_step(ui, &visitor, step, id, &fields, &answered.json).await,
        Ok(answered) => Ok(changed(answered.event, &record_of(step, id))),
        Err(refused) if is_final(&refused) => Err(refused.into()),
        Err(refused) if step == Step::WithdrawCharge => {
            show_refused(&record::charge_page(ui, &visitor, id, Some(refused.clone())).await?, &refused)
        }
        Err(refused) => show_refused(&record::discharge_page(ui, &visitor, id, Some(refused.clone())).await?, &refused),
    }
}

/// Where the record is.
fn record_of(step: Step, id: i64) -> String {
    match step {
        Step::WithdrawCharge => format!("/ui/storage/scr/{id}"),
        Step::WithdrawDischarge | Step::Issue => format!("/ui/storage/sdr/{id}"),
    }
}

async fn preview_step(
    ui: &Ui,
    visitor: &Visitor,
    step: Step,
    id: i64,
    fields: &Fields,
    answer: &Value,
) -> Result<Response, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (device, account) = ui
        .blocking(move |registry| {
            let device: DeviceId = match step {
                Step::WithdrawCharge => registry.charge(&caller, domain::ScrId(id), fresh)?.scr.device_id,
                Step::WithdrawDischarge | Step::Issue => {
                    registry.discharge(&caller, domain::SdrId(id), fresh)?.sdr.device_id
                }
            };
            let device = registry.device(&caller, device, fresh)?;
            let account = Known::of(registry.account(&caller, device.account_id, fresh)?);
            Ok((device, account))
        })
        .await?;
    let reason = fields.get("reason").map(str::to_owned);
    let back = record_of(step, id);
    let mut facts = vec![("Device", device.description.name)];
    let (heading, lead, button, verb) = match step {
        Step::WithdrawCharge => {
            facts.push(("Charged", wh(energy_of(answer, "charging_energy"))));
            facts.push(("Of certificates", wh(energy_of(answer, "backed_energy"))));
            let lead = "It no longer counts. Its certificates stay cancelled for storage and can back another charge.";
            (format!("Withdraw charge record {id}?"), lead, "Withdraw it", "withdraw")
        }
        Step::WithdrawDischarge => {
            facts.push(("Discharged", wh(energy_of(answer, "discharge_energy"))));
            let lead = "It no longer counts, and what it drew is in the reservoir again.";
            (format!("Withdraw discharge record {id}?"), lead, "Withdraw it", "withdraw")
        }
        Step::Issue => {
            let total: WattHours = energy_of(answer, "total_quantity");
            facts.push(("For", account.name.clone()));
            facts.push(("Quantity", format!("{} ({})", format::exact(total), wh(total))));
            let lead = "They carry the attributes of the certificates that were charged.";
            let heading = format!("Issue {} on discharge record {id}?", format::exact(total));
            (heading, lead, "Issue certificates", "issue")
        }
    };
    facts.extend(reason.clone().map(|reason| ("Reason", reason)));
    show(&Preview {
        frame: frame_of(visitor, "Storage", account),
        heading,
        lead,
        facts,
        draws: draws_of(&if step == Step::Issue { json!({}) } else { answer.clone() }),
        made: made_of(answer),
        action: format!("{back}/{verb}"),
        hidden: reason.map(|reason| ("reason".to_owned(), reason)).into_iter().collect(),
        button,
        may_change: false,
        back,
    })
}
