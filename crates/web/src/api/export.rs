//! Bundles of any number as a file, written while it is sent.

use super::certificate::BundleStatusWord;
use super::device::EnergySourceWord;
use crate::caller::{Caller, Fresh, Query, Read};
use crate::download::download;
use crate::json::{Fields, Value, id, instant, rule, word};
use crate::openapi::{ExportProblems, ReadProblems, TooManyProblems};
use crate::wire::At;
use crate::{App, Error};
use app::{BundleExport, ExportError, SheetFormat, parse_issuance_id};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::{AccountId, BundleStatus, DeviceId, EnergySource};
use std::time::Instant;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export))
}

/// Which bundles to export, and how. Absent parameters filter nothing.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what ExportAsked reads")]
struct ExportParameters {
    /// The account. Only those who may read everything may leave it out: then the bundles of all accounts are exported.
    #[param(minimum = 1)]
    source_id: Option<i64>,
    /// Only bundles of this device.
    #[param(minimum = 1)]
    device_id: Option<i64>,
    /// Only bundles made from this.
    #[param(inline)]
    energy_source: Option<EnergySourceWord>,
    /// Only bundles whose production lies wholly inside the period that begins here, which may be of any length.
    #[param(inline)]
    certificate_period_start: Option<At>,
    /// Only bundles whose production lies wholly inside the period that ends here.
    #[param(inline)]
    certificate_period_end: Option<At>,
    /// Only bundles in this state.
    #[param(inline)]
    certificate_bundle_status: Option<BundleStatusWord>,
    /// Only bundles of this issuance.
    #[param(example = "12-electricity-20260101T130000Z")]
    issuance_id: Option<String>,
    /// `csv` by default.
    #[param(inline)]
    format: Option<FormatWord>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the words")]
enum FormatWord {
    Csv,
    Ndjson,
}

struct ExportAsked {
    export: BundleExport,
    format: SheetFormat,
}

impl Read for ExportAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let account = fields.optional("source_id", id).map(AccountId);
        let device = fields.optional("device_id", id).map(DeviceId);
        let energy_source = fields.optional("energy_source", word(EnergySource::ALL, EnergySource::name));
        let from = fields.optional("certificate_period_start", instant);
        let to = fields.optional("certificate_period_end", instant);
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            let msg = "Value error, certificate_period_end must be greater than certificate_period_start.";
            fields.fault("certificate_period_end", rule("value_error", msg));
        }
        let status = fields.optional("certificate_bundle_status", word(BundleStatus::ALL, BundleStatus::name));
        let issuance = fields.optional("issuance_id", |value| {
            let parsed = match value {
                Value::Text(text) => parse_issuance_id(text),
                _ => None,
            };
            parsed.ok_or_else(|| rule("value_error", "Value error, it is not an issuance id"))
        });
        let format = fields.optional("format", |value| match value {
            Value::Text(word) if word == "csv" => Ok(SheetFormat::Csv),
            Value::Text(word) if word == "ndjson" => Ok(SheetFormat::Ndjson),
            _ => Err(rule("enum", "Input should be 'csv' or 'ndjson'")),
        });
        let energy_sources = energy_source.into_iter().collect();
        let with_split_parents = false;
        let export = BundleExport { account, device, energy_sources, from, to, status, issuance, with_split_parents };
        Some(Self { export, format: format.unwrap_or(SheetFormat::Csv) })
    }
}

/// Export bundles
///
/// Of an account of the caller's, or of any or all accounts for those who may read everything: any number of bundles, as one
/// unchanging state of the registry, in the order of production and then of ids (those of all accounts in the order of ids).
/// Without split parents, unless their status is asked for. In CSV, texts that a spreadsheet would take for a formula begin
/// with an apostrophe. An answer that breaks off is not whole. At most 2 at a time for each user.
#[utoipa::path(
    get, path = "/certificate/export", tag = "Certificates",
    params(ExportParameters, Fresh),
    responses(
        (status = 200, description = "A line of column names and a line for each bundle, or an object a line",
         content((String = "text/csv"), (String = "application/x-ndjson"))),
        ReadProblems, ExportProblems, TooManyProblems,
    ),
)]
async fn export(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<ExportAsked>,
    Fresh(fresh): Fresh,
) -> Result<Response, Error> {
    let ExportAsked { export, format } = asked;
    let wanted = export.clone();
    let user = caller.user_id;
    app.blocking(move |registry| registry.may_export(&caller, &wanted, fresh)).await?;
    let place = app.exports.take(user)?;
    let (mut pieces, mut download) = download(Instant::now() + app.limits.export_time);
    let registry = app.registry.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let _place = place;
        let written = registry.export(&export, format, &mut pieces, fresh);
        let written = written.and_then(|()| Ok(pieces.end()?));
        written.map_err(|error| match error {
            ExportError::Database(error) => app::Error::from(error),
            ExportError::Output(error) => {
                tracing::warn!(%error, "an export broke off");
                app::Error::Unavailable
            }
        })
    });
    // What goes wrong before the first byte is still told as a problem.
    if !download.is_begun().await {
        let written = writing.await.unwrap_or(Err(app::Error::Internal));
        return Err(written.err().unwrap_or(app::Error::Internal).into());
    }
    let (content_type, disposition) = match format {
        SheetFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"certificates.csv\""),
        SheetFormat::Ndjson => ("application/x-ndjson", "attachment; filename=\"certificates.ndjson\""),
    };
    Ok(([(CONTENT_TYPE, content_type), (CONTENT_DISPOSITION, disposition)], download.into_body()).into_response())
}
