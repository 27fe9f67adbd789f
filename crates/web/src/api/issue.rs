//! Issuing certificates against readings.

use super::job::JobBody;
use crate::caller::{Asked, Caller, Read};
use crate::json::{Fields, boolean, id, instant, rule, whole, word};
use crate::limits::{POLL_FIRST, POLL_LAST, WAIT_SECONDS, WAIT_SECONDS_MAX};
use crate::openapi::ChangeProblems;
use crate::wire::{At, Changed, Id};
use crate::{App, Error};
use app::{IssueRequest, IssueSource, JobState, JobView};
use axum::extract::State;
use axum::http::StatusCode;
use domain::{DeviceId, EventNumber, JobId, MetadataId};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Devices that one request names.
const DEVICES_MAX: usize = 100_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(issue))
}

/// Where the energy comes from that is certified.
#[derive(Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = IssueSource, rename_all = "snake_case")]
enum Source {
    /// The readings that were submitted.
    Readings,
    /// Metered half-hours of the period, fetched from Elexon first for the devices whose `meter_data_id` is a BM unit. A
    /// value that differs from an issued one corrects it.
    Elexon,
}

impl Source {
    const ALL: &'static [Self] = &[Self::Readings, Self::Elexon];

    fn name(self) -> &'static str {
        match self {
            Self::Readings => "readings",
            Self::Elexon => "elexon",
        }
    }
}

/// What is to be issued.
#[derive(ToSchema)]
#[schema(as = Issue, example = json!({
    "metadata_id": 1, "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "wait": 60,
}))]
#[serde(deny_unknown_fields)]
struct IssueAsked {
    /// The issuance metadata to issue under.
    #[schema(minimum = 1)]
    metadata_id: i64,
    /// For readings that start at or after this; where readings are issued by the hour, for hours of which one does …
    from: At,
    /// … and before this.
    to: At,
    /// All production devices by default.
    #[schema(value_type = Option<Vec<Id>>, max_items = 100_000, min_items = 1)]
    device_ids: Option<Vec<i64>>,
    /// `readings` by default.
    #[schema(value_type = Option<Source>)]
    source: Source,
    /// Say what it would come to, and change nothing.
    #[schema(value_type = Option<bool>)]
    dry_run: bool,
    /// Seconds to wait for the job to be done; 60 by default.
    #[schema(value_type = Option<u64>, maximum = 300)]
    wait: u64,
}

impl Read for IssueAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let metadata_id = fields.required("metadata_id", id);
        let (from, to) = (fields.required("from", instant), fields.required("to", instant));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            fields.fault("to", rule("value_error", "Value error, to must be after from"));
        }
        let device_ids = fields.optional_list("device_ids", (1, DEVICES_MAX), id);
        let source = fields.optional("source", word(Source::ALL, Source::name)).unwrap_or(Source::Readings);
        let dry_run = fields.optional("dry_run", boolean).unwrap_or(false);
        let wait = fields.optional("wait", whole(0, WAIT_SECONDS_MAX)).unwrap_or(WAIT_SECONDS);
        Some(Self { metadata_id: metadata_id?, from: from?.into(), to: to?.into(), device_ids, source, dry_run, wait })
    }
}

/// Issue certificates
///
/// Starts a job over the readings of the period and waits up to `wait` seconds for it; GET /job/{id} tells the rest. What
/// was issued before is passed over, so asking again is safe. A reading that nothing can be issued for is told with its
/// reason and holds up nothing else. With the source `elexon` the job fetches metered half-hours first, and fails if they
/// cannot be fetched; what the source lacks is among the refused.
///
/// For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/certificate/issue", tag = "Certificates", request_body = IssueAsked,
    responses(
        (status = 202, description = "The job", body = JobBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn issue(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<IssueAsked>,
) -> Result<Changed<JobBody>, Error> {
    if asked.dry_run && asked.source != Source::Readings {
        return Err(Error::NotAvailable("A dry run fetches nothing; leave out the source to try what is there"));
    }
    let source = match asked.source {
        Source::Readings => IssueSource::Readings,
        Source::Elexon => IssueSource::Elexon,
    };
    let request = IssueRequest {
        metadata_id: MetadataId(asked.metadata_id),
        from: asked.from.0,
        to: asked.to.0,
        device_ids: asked.device_ids.unwrap_or_default().into_iter().map(DeviceId).collect(),
    };
    let (job, event) = if asked.dry_run {
        app.blocking(move |registry| {
            let event = registry.health()?.event_number;
            Ok((registry.dry_run_issue(&caller, request)?, event))
        })
        .await?
    } else {
        let who = caller.clone();
        let id = app.blocking(move |registry| registry.issue_from(&who, request, source)).await?;
        followed(&app, caller, id, Duration::from_secs(asked.wait)).await?
    };
    Ok(Changed { status: StatusCode::ACCEPTED, event, body: job.into() })
}

/// The job once it is over, or as it is when the wait is.
async fn followed(app: &App, caller: app::Caller, id: JobId, wait: Duration) -> Result<(JobView, EventNumber), Error> {
    let (until, mut pause) = (tokio::time::Instant::now() + wait, POLL_FIRST);
    loop {
        let caller = caller.clone();
        let (job, event) = app
            .blocking(move |registry| {
                let event = registry.health()?.event_number;
                Ok((registry.job(&caller, id)?, event))
            })
            .await?;
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() || job.state != JobState::Running {
            return Ok((job, event));
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(POLL_LAST);
    }
}
