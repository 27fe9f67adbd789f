//! How much the program tells its operator.

use crate::caller::{Asked, Caller, Read};
use crate::json::{Fields, rule};
use crate::openapi::{ChangeProblems, ReadProblems};
use crate::{App, Error};
use axum::Json;
use axum::extract::State;
use domain::Capability;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log_level)).routes(routes!(change_log_level))
}

/// How much is told, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
    /// As much as ERROR: there is nothing above it.
    Critical,
}

impl LogLevel {
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }

    /// In capitals or not.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text))
    }
}

/// What of the program around it the API may change.
#[derive(Clone, Default)]
pub struct Controls {
    /// Tells the level of the program's log; without one it is not known.
    pub log_level: Option<Arc<dyn Fn() -> LogLevel + Send + Sync>>,
    /// Changes the level of the program's log; without one it cannot be changed.
    pub set_log_level: Option<Arc<dyn Fn(LogLevel) + Send + Sync>>,
}

#[derive(ToSchema)]
#[schema(as = LogLevelChange, example = json!({"level": "DEBUG"}))]
#[expect(dead_code, reason = "documents what LevelAsked reads")]
#[serde(deny_unknown_fields)]
struct LevelSchema {
    level: LogLevel,
}

struct LevelAsked(LogLevel);

impl Read for LevelAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let level = fields.required("level", |value| {
            let level = match value {
                crate::json::Value::Text(text) => LogLevel::parse(text),
                _ => None,
            };
            level.ok_or_else(|| {
                rule("enum", "Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'".to_owned())
            })
        });
        level.map(Self)
    }
}

/// How much the running program tells.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLevelNow)]
struct NowBody {
    /// The level of now.
    level: LogLevel,
}

/// Read the log level
///
/// Of the running program that answers. For the Registry Administrator, who may change it.
#[utoipa::path(
    get, path = "/log_level", tag = "Operation",
    responses((status = 200, description = "The level", body = NowBody), ReadProblems),
)]
async fn log_level(State(app): State<App>, Caller(caller): Caller) -> Result<Json<NowBody>, Error> {
    caller.require(Capability::Operate)?;
    let told = app.controls.log_level.as_ref();
    let told = told.ok_or(Error::NotAvailable("The log level of this program is not known"))?;
    Ok(Json(NowBody { level: told() }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = LogLevelChanged)]
struct LevelBody {
    /// What was done.
    #[schema(example = "Log level changed to DEBUG")]
    message: String,
    /// The level from now on.
    level: LogLevel,
}

/// Change the log level
///
/// Of the running program, until it ends. For the Registry Administrator.
#[utoipa::path(
    post, path = "/change_log_level", tag = "Operation", request_body = LevelSchema,
    responses((status = 200, description = "Changed", body = LevelBody), ChangeProblems),
)]
async fn change_log_level(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(LevelAsked(level)): Asked<LevelAsked>,
) -> Result<Json<LevelBody>, Error> {
    caller.require(Capability::Operate)?;
    let set = app.controls.set_log_level.as_ref();
    let set = set.ok_or(Error::NotAvailable("The log level of this program cannot be changed"))?;
    // Told by the more talkative of the two levels, so that it is told at all.
    tracing::warn!(level = level.name(), user = caller.user_id.0, "the log level changes");
    set(level);
    tracing::warn!(level = level.name(), user = caller.user_id.0, "the log level has changed");
    Ok(Json(LevelBody { message: format!("Log level changed to {}", level.name()), level }))
}
