//! Where a bundle comes from and what became of it.

use super::certificate::{BundleStatusWord, StorageBody};
use super::event::{EventBody, value_of};
use crate::caller::{Caller, Fresh, PathId};
use crate::openapi::{IdProblems, ReadProblems};
use crate::wire::At;
use crate::{App, Error};
use app::{EventView, FieldView, LineageBundle, Relation};
use axum::Json;
use axum::extract::State;
use domain::event::EventType;
use domain::{BundleId, BundleStatus};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read_lineage))
}

/// The family of a bundle: enough to draw the tree of its splits, each part where its certificates lie.
#[derive(Serialize, ToSchema)]
#[schema(as = Lineage)]
struct LineageBody {
    /// The bundle that was asked for.
    id: i64,
    /// That of the bundle that was asked for.
    issuance_id: String,
    /// The device that made the energy, or the storage device that gave it out.
    device_id: i64,
    /// Of a certificate issued on a discharge: the storage, and the way back to what was cancelled. `null` of production.
    storage: Option<StorageBody>,
    /// When the interval of production begins, included.
    production_starting_interval: At,
    /// When it ends, not included.
    production_ending_interval: At,
    /// The first certificate of the whole tree, included: with the last, the scale to draw it to.
    range_start: u64,
    /// The last certificate of the whole tree, included.
    range_end: u64,
    /// In the order of their certificates, the larger first: a parent stands before its children.
    bundles: Vec<LineageBundleBody>,
    /// Whether there are more than the 1,000 that are shown; the nearest are.
    has_more_bundles: bool,
    /// Of the bundles that are not held elsewhere, in order.
    events: Vec<LineageEvent>,
    /// Whether there are more than the 1,000 that are shown; /event/query has all of each bundle.
    has_more_events: bool,
}

/// What it is to the bundle that was asked for: that bundle itself; one that it was split from; one that was split from it;
/// another part of what they were issued as; one issued earlier for the same interval and withdrawn; one issued for the same
/// interval later, after something of this issuance was withdrawn.
#[derive(Serialize, ToSchema)]
#[schema(as = Relation)]
#[serde(rename_all = "snake_case")]
enum RelationWord {
    Itself,
    Ancestor,
    Descendant,
    Relative,
    Withdrawn,
    Replacement,
}

impl From<Relation> for RelationWord {
    fn from(relation: Relation) -> Self {
        match relation {
            Relation::Itself => Self::Itself,
            Relation::Ancestor => Self::Ancestor,
            Relation::Descendant => Self::Descendant,
            Relation::Relative => Self::Relative,
            Relation::Withdrawn => Self::Withdrawn,
            Relation::Replacement => Self::Replacement,
        }
    }
}

/// A bundle of the family.
#[derive(Serialize, ToSchema)]
#[schema(as = LineageBundle)]
struct LineageBundleBody {
    /// The bundle's number.
    id: i64,
    /// The bundle it was split from; `null` if it was issued.
    parent_id: Option<i64>,
    relation: RelationWord,
    /// Splits between it and what was issued, as far as they are shown.
    generation: usize,
    /// Its first certificate, included; numbered per device from 1, each of 1 Wh.
    range_start: u64,
    /// Its last certificate, included.
    range_end: u64,
    /// What it holds, in Wh.
    quantity: u64,
    /// When it was issued.
    issuance_datestamp: At,
    /// Whether another account holds it, which the caller may not read.
    is_held_elsewhere: bool,
    /// `null` where it is held elsewhere, but for what was split or withdrawn.
    #[schema(value_type = Option<BundleStatusWord>)]
    certificate_bundle_status: Option<BundleStatus>,
    /// `null` where it is held elsewhere.
    account_id: Option<i64>,
    /// For whom it was cancelled; `null` until it is, and where it is held elsewhere.
    beneficiary: Option<String>,
    /// The account that may claim it; `null` if none was named, and where it is held elsewhere.
    beneficiary_account_id: Option<i64>,
}

impl From<LineageBundle> for LineageBundleBody {
    fn from(bundle: LineageBundle) -> Self {
        let held = bundle.held;
        Self {
            id: bundle.id.0,
            parent_id: bundle.parent_id.map(|id| id.0),
            relation: bundle.relation.into(),
            generation: bundle.generation,
            range_start: bundle.range.first(),
            range_end: bundle.range.last(),
            quantity: bundle.range.quantity().0,
            issuance_datestamp: bundle.issued_at.into(),
            is_held_elsewhere: held.is_none(),
            certificate_bundle_status: bundle.status,
            account_id: held.as_ref().map(|held| held.account_id.0),
            beneficiary_account_id: held.as_ref().and_then(|held| held.beneficiary_account_id).map(|id| id.0),
            beneficiary: held.and_then(|held| held.beneficiary),
        }
    }
}

/// An event, and what it did in words.
#[derive(Serialize, ToSchema)]
struct LineageEvent {
    #[serde(flatten)]
    event: EventBody,
    /// What it did, for people.
    #[schema(example = "certificate_bundle_status: Active → Cancelled")]
    change: String,
}

impl From<&EventView> for LineageEvent {
    fn from(event: &EventView) -> Self {
        Self { event: event.into(), change: change_of(event) }
    }
}

/// What an event did, for people.
fn change_of(event: &EventView) -> String {
    let named = |name: &str| event.after.iter().find(|field| field.name == Some(name));
    match event.event_type {
        EventType::Create => match named("parent_id") {
            Some(parent) => format!("split from bundle {}", word_of(Some(parent))),
            None => "issued".to_owned(),
        },
        EventType::Update => {
            let changed = event.after.iter().map(|field| {
                let before = event.before.iter().find(|old| old.tag == field.tag);
                let name = field.name.unwrap_or("a field of a later version");
                match before {
                    Some(before) => format!("{name}: {} → {}", word_of(Some(before)), word_of(Some(field))),
                    None => format!("{name}: {}", word_of(Some(field))),
                }
            });
            changed.collect::<Vec<_>>().join(", ")
        }
        EventType::Delete => "deleted".to_owned(),
    }
}

fn word_of(field: Option<&FieldView>) -> String {
    match field.and_then(|field| field.value.as_ref()).map(value_of) {
        None => "elsewhere".to_owned(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    }
}

/// Read a bundle's lineage
///
/// The tree of splits that it stands in, what was withdrawn before it in its interval and what was issued in its place, and
/// their events. What is held elsewhere shows its place and quantity, and nothing of its holder, beneficiary, users or
/// actions. For those who may read the bundle.
#[utoipa::path(
    get, path = "/certificate/{id}/lineage", tag = "Certificates",
    params(("id" = i64, Path, description = "The bundle's id", minimum = 1), Fresh),
    responses((status = 200, description = "The lineage", body = LineageBody), ReadProblems, IdProblems),
)]
async fn read_lineage(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<LineageBody>, Error> {
    let lineage = app.blocking(move |registry| registry.lineage(&caller, BundleId(id), fresh)).await?;
    Ok(Json(LineageBody {
        id: lineage.id.0,
        issuance_id: lineage.issuance_id,
        storage: lineage.chain.as_ref().map(Into::into),
        device_id: lineage.device.0,
        production_starting_interval: lineage.production.start().into(),
        production_ending_interval: lineage.production.end().into(),
        range_start: lineage.root.first(),
        range_end: lineage.root.last(),
        bundles: lineage.bundles.into_iter().map(Into::into).collect(),
        has_more_bundles: lineage.has_more_bundles,
        events: lineage.events.iter().map(Into::into).collect(),
        has_more_events: lineage.has_more_events,
    }))
}
