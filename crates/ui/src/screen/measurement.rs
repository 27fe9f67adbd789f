//! Readings: those of a device in a list, and what became of one of them. Files of readings are in [`super::readings`].

mod list;
mod one;

use crate::Ui;
use axum::Router;
use axum::routing::{get, post};
use domain::{Quality, ReadingSource, ReadingStatus};

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/device/{id}/measurements", get(list::list))
        .route("/measurement/{id}", get(one::one))
        .route("/measurement/{id}/correct", post(one::correct))
        .route("/measurement/{id}/delete", post(one::delete))
        .route("/measurement/{id}/release", post(one::release))
}

/// The class of the tag that names what became of a reading.
const fn tone(status: ReadingStatus) -> &'static str {
    match status {
        ReadingStatus::Issued | ReadingStatus::Recorded => "good",
        ReadingStatus::Pending | ReadingStatus::Held => "warn",
        ReadingStatus::Refused => "bad",
        ReadingStatus::Superseded | ReadingStatus::Deleted => "",
    }
}

const fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Measured => "measured",
        Quality::Calculated => "calculated",
        Quality::Estimated => "estimated: nothing is issued for it",
    }
}

const fn source(source: ReadingSource) -> &'static str {
    match source {
        ReadingSource::Submitted => "submitted",
        ReadingSource::Issuer => "stated by the issuer",
        ReadingSource::Elexon => "Elexon",
        ReadingSource::Summed => "sum of its hour's readings",
    }
}
