//! Finding bundles of an account.

use super::certificate::{BundleBody, BundleStatusWord};
use super::device::EnergySourceWord;
use super::own;
use crate::caller::{Asked, Caller, Fresh, Read};
use crate::json::{Fields, Rule, Value, any_text, boolean, id, instant, own_kind, rule, whole, word};
use crate::limits::PAGE_MAX;
use crate::openapi::{QueryProblems, ReadProblems};
use crate::page::{cursor, cursor_of};
use crate::wire::{At, Written, json};
use crate::{App, Error};
use app::{BundleQuery, ISSUANCES_PER_QUERY_MAX, Period, issuance_id};
use axum::extract::State;
use axum::http::StatusCode;
use domain::{AccountId, BundleId, BundleStatus, DeviceId, EnergyCarrier, EnergySource};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Characters of an issuance id that are worth a look.
const ID_CHARS_MAX: usize = 200;
/// The last certificate id that a number in JSON holds exactly.
const RANGE_MAX: u64 = 9_007_199_254_740_991;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(query))
}

/// Which bundles of an account to find. Absent members filter nothing.
#[derive(ToSchema)]
#[schema(as = Query, example = json!({"source_id": 1, "certificate_bundle_status": "Active", "limit": 100}))]
#[expect(dead_code, reason = "documents what QueryAsked reads")]
#[serde(deny_unknown_fields)]
struct QuerySchema {
    /// The account.
    #[schema(minimum = 1)]
    source_id: i64,
    /// The caller, if given.
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    /// Any of these.
    #[schema(min_items = 1, max_items = 1_000, example = json!(["12-electricity-20260101T130000Z"]))]
    issuance_ids: Option<Vec<String>>,
    /// Only bundles of this device.
    #[schema(minimum = 1)]
    device_id: Option<i64>,
    /// One, or a list of them.
    energy_source: Option<OneOrMoreSources>,
    /// Only bundles that lie wholly inside the period that begins here. Needed with an end; not together with issuance ids.
    certificate_period_start: Option<At>,
    /// Where that period ends: at most 30 days, or what the operator set, after its start. Needed if the start is longer ago.
    certificate_period_end: Option<At>,
    /// Only bundles in this state.
    certificate_bundle_status: Option<BundleStatusWord>,
    /// With exactly one issuance id: only bundles whose first certificate is this or later.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_bundle_id_range_start: Option<u64>,
    /// With exactly one issuance id: only bundles whose last certificate is this or earlier.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_bundle_id_range_end: Option<u64>,
    /// Issuances by device id: the start of production, or a list of such. In place of `issuance_ids`.
    #[schema(value_type = Option<std::collections::BTreeMap<String, OneOrMoreInstants>>, example = json!({"12": "2026-01-01T13:00:00Z"}))]
    sparse_filter_list: Option<()>,
    /// Accepted and without effect.
    localise_time: Option<bool>,
    /// Bundles of a page. Without it everything is answered, up to 50,000 bundles.
    #[schema(minimum = 1, maximum = 1_000)]
    limit: Option<u64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = EnergySources)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a form")]
enum OneOrMoreSources {
    One(EnergySourceWord),
    More(Vec<EnergySourceWord>),
}

#[derive(ToSchema)]
#[schema(as = Instants)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a form")]
enum OneOrMoreInstants {
    One(At),
    More(Vec<At>),
}

/// The query as it was read.
#[derive(Clone, Serialize)]
struct QueryAsked {
    source_id: i64,
    user_id: Option<i64>,
    issuance_ids: Option<Vec<String>>,
    device_id: Option<i64>,
    energy_source: Option<Vec<EnergySource>>,
    certificate_period_start: Option<Timestamp>,
    certificate_period_end: Option<Timestamp>,
    certificate_bundle_status: Option<BundleStatus>,
    certificate_bundle_id_range_start: Option<u64>,
    certificate_bundle_id_range_end: Option<u64>,
    localise_time: Option<bool>,
    limit: Option<u64>,
    cursor: Option<String>,
    #[serde(skip)]
    after: Option<(Timestamp, BundleId)>,
}

impl Read for QueryAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let source_id = fields.required("source_id", id);
        let user_id = fields.optional("user_id", id);
        let has_both = fields.has("issuance_ids") && fields.has("sparse_filter_list");
        let named = fields.optional_list("issuance_ids", (1, ISSUANCES_PER_QUERY_MAX), any_text(1, ID_CHARS_MAX));
        let sparse = fields.optional_object("sparse_filter_list", ISSUANCES_PER_QUERY_MAX, issuances);
        let sparse = sparse.map(|lists| lists.into_iter().flatten().collect::<Vec<_>>());
        if has_both {
            let msg = "Value error, give issuance_ids or sparse_filter_list, not both";
            fields.fault("sparse_filter_list", rule("value_error", msg));
        }
        let issuance_ids = named.or(sparse);
        let device_id = fields.optional("device_id", id);
        let sources = EnergySource::ALL;
        let energy_source = fields.one_or_list("energy_source", sources.len(), word(sources, EnergySource::name));
        let certificate_period_start = fields.optional("certificate_period_start", instant);
        let certificate_period_end = fields.optional("certificate_period_end", instant);
        let statuses = word(BundleStatus::ALL, BundleStatus::name);
        let certificate_bundle_status = fields.optional("certificate_bundle_status", statuses);
        let first = fields.optional("certificate_bundle_id_range_start", whole(1, RANGE_MAX));
        let last = fields.optional("certificate_bundle_id_range_end", whole(1, RANGE_MAX));
        if (first.is_some() || last.is_some()) && issuance_ids.as_ref().is_none_or(|ids| ids.len() != 1) {
            let name =
                if first.is_some() { "certificate_bundle_id_range_start" } else { "certificate_bundle_id_range_end" };
            fields.fault(name, rule("value_error", "Value error, a range needs exactly one issuance id"));
        }
        let localise_time = fields.optional("localise_time", boolean);
        let limit = fields.optional("limit", whole(1, PAGE_MAX));
        let after = fields.optional("cursor", cursor).map(|(start, bundle)| (start, BundleId(bundle)));
        fields.optional("action_type", own_kind("query"));
        fields.pass_over(&["granular_certificate_bundles", "total_certificate_volume", "next_cursor"]);
        Some(Self {
            source_id: source_id?,
            user_id,
            issuance_ids,
            device_id,
            energy_source,
            certificate_period_start,
            certificate_period_end,
            certificate_bundle_status,
            certificate_bundle_id_range_start: first,
            certificate_bundle_id_range_end: last,
            localise_time,
            limit,
            cursor: after.map(place),
            after,
        })
    }
}

/// The issuances of one device: an instant or a list of them.
fn issuances(device: &str, value: &Value<'_>) -> Result<Vec<String>, Rule> {
    let device = DeviceId(id(&Value::Text(Cow::Borrowed(device)))?);
    let of = |at| issuance_id(device, EnergyCarrier::Electricity, at);
    let Value::List(raw) = value else { return Ok(vec![of(instant(value)?)]) };
    let entries: Vec<&RawValue> =
        serde_json::from_str(raw).map_err(|_| rule("list_type", "Input should be a valid list"))?;
    if entries.is_empty() || entries.len() > ISSUANCES_PER_QUERY_MAX {
        return Err(rule("too_long", format!("List should have 1 to {ISSUANCES_PER_QUERY_MAX} items")));
    }
    entries
        .into_iter()
        .map(|entry| {
            let text: Cow<'_, str> = serde_json::from_str(entry.get())
                .map_err(|_| rule("datetime_type", "Input should be a valid datetime"))?;
            Ok(of(instant(&Value::Text(text))?))
        })
        .collect()
}

/// The cursor of a page that begins behind this bundle.
fn place((start, bundle): (Timestamp, BundleId)) -> String {
    cursor_of(&(start, bundle.0))
}

/// The query, and what matches it.
#[derive(ToSchema)]
#[schema(as = QueryResult)]
#[expect(dead_code, reason = "documents what QueryAnswer writes")]
struct QueryResult {
    /// The account, as asked.
    source_id: i64,
    /// As asked; `null` if it was left out.
    user_id: Option<i64>,
    /// As asked, also where `sparse_filter_list` named them; `null` if nothing did.
    issuance_ids: Option<Vec<String>>,
    /// As asked; `null` if it was left out.
    device_id: Option<i64>,
    /// As asked, as a list; `null` if it was left out.
    energy_source: Option<Vec<EnergySourceWord>>,
    /// As asked; `null` if it was left out.
    certificate_period_start: Option<At>,
    /// As asked; `null` if it was left out.
    certificate_period_end: Option<At>,
    /// As asked; `null` if it was left out.
    certificate_bundle_status: Option<BundleStatusWord>,
    /// The first certificate of the range, as asked; `null` if it was left out.
    certificate_bundle_id_range_start: Option<u64>,
    /// The last certificate of the range, as asked; `null` if it was left out.
    certificate_bundle_id_range_end: Option<u64>,
    /// As asked; `null` if it was left out.
    localise_time: Option<bool>,
    /// Bundles of a page, as asked; `null` if it was left out.
    limit: Option<u64>,
    /// As asked; `null` on the first page.
    cursor: Option<String>,
    /// In the order of production, then of ids. Split parents never appear.
    granular_certificate_bundles: Vec<BundleBody>,
    /// Wh of all that match, on whatever page; `null` on every page but the first.
    total_certificate_volume: Option<u64>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct QueryAnswer {
    #[serde(flatten)]
    asked: QueryAsked,
    granular_certificate_bundles: Vec<BundleBody>,
    total_certificate_volume: Option<u64>,
    next_cursor: Option<String>,
}

/// Find bundles of an account
///
/// For users of the account, and for any account for those who may read everything. Nothing is ever cut silently: without a
/// limit more than 50,000 matches are refused.
#[utoipa::path(
    post, path = "/certificate/query", tag = "Certificates", request_body = QuerySchema,
    params(Fresh),
    responses((status = 202, description = "What matches", body = QueryResult), ReadProblems, QueryProblems),
)]
async fn query(
    State(app): State<App>,
    Caller(caller): Caller,
    Fresh(fresh): Fresh,
    Asked(asked): Asked<QueryAsked>,
) -> Result<Written, Error> {
    own(&caller, asked.user_id)?;
    let query = BundleQuery {
        account: AccountId(asked.source_id),
        device: asked.device_id.map(DeviceId),
        energy_sources: asked.energy_source.clone().unwrap_or_default(),
        period: Period { start: asked.certificate_period_start, end: asked.certificate_period_end },
        status: asked.certificate_bundle_status,
        issuance_ids: asked.issuance_ids.clone(),
        range_first: asked.certificate_bundle_id_range_start,
        range_last: asked.certificate_bundle_id_range_end,
        limit: asked.limit.and_then(|limit| usize::try_from(limit).ok()),
        after: asked.after,
    };
    // Written on the same thread: an answer may be tens of megabytes.
    let json = app
        .blocking(move |registry| {
            let page = registry.query(&caller, &query, fresh)?;
            json(&QueryAnswer {
                asked,
                granular_certificate_bundles: page.bundles.iter().map(BundleBody::from).collect(),
                total_certificate_volume: page.volume.map(|volume| volume.0),
                next_cursor: page.next.map(place),
            })
        })
        .await?;
    Ok(Written { status: StatusCode::ACCEPTED, json })
}
