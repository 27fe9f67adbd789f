//! Issuance metadata, and certificate bundles as they are read.

use super::device::EnergySourceWord;
use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, text};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::{At, Changed, Factor, Text, hex};
use crate::{App, Error};
use app::{BundleView, CertificateView, StorageChain};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{
    BundleId, BundleStatus, Command, EnergyCarrier, EnergySource, IssuanceMetadata, MetadataDescription, MetadataId,
    Outcome,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// EnergyTag's configuration 1: certificates are issued by the issuer of the energy attributes themselves.
const REGISTRY_CONFIGURATION: u8 = 1;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_metadata))
        .routes(routes!(list_metadata))
        .routes(routes!(read_metadata))
        .routes(routes!(read_certificate))
}

/// What the issuing body states of the certificates it issues; never changed once created.
#[derive(Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "country_of_issuance": "GB", "connected_grid_identification": "GB grid", "issuing_body": "Example issuing body",
    "issue_market_zone": "GB", "issuance_purpose": "disclosure",
}))]
struct MetadataCreate {
    /// The country that the certificates are issued in.
    #[schema(value_type = Text)]
    country_of_issuance: String,
    /// The grid that the devices are connected to.
    #[schema(value_type = Text)]
    connected_grid_identification: String,
    /// Who issues the certificates.
    #[schema(value_type = Text)]
    issuing_body: String,
    /// The market zone that they are issued in.
    #[schema(value_type = Text)]
    issue_market_zone: String,
    /// Their legal status; `null` if it is not stated.
    #[schema(value_type = Option<Text>)]
    legal_status: Option<String>,
    /// What they are issued for; `null` if it is not stated.
    #[schema(value_type = Option<Text>)]
    issuance_purpose: Option<String>,
    /// The support that the energy received; `null` if it is not stated.
    #[schema(value_type = Option<Text>)]
    support_received: Option<String>,
    /// The quality scheme that they follow; `null` if it is not stated.
    #[schema(value_type = Option<Text>)]
    quality_scheme_reference: Option<String>,
    /// Their dissemination level, in the issuing body's words; `null` if it is not stated.
    #[schema(value_type = Option<Text>)]
    dissemination_level: Option<String>,
}

impl Read for MetadataCreate {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let country_of_issuance = fields.required("country_of_issuance", text);
        let connected_grid_identification = fields.required("connected_grid_identification", text);
        let issuing_body = fields.required("issuing_body", text);
        let issue_market_zone = fields.required("issue_market_zone", text);
        let legal_status = fields.optional("legal_status", text);
        let issuance_purpose = fields.optional("issuance_purpose", text);
        let support_received = fields.optional("support_received", text);
        let quality_scheme_reference = fields.optional("quality_scheme_reference", text);
        let dissemination_level = fields.optional("dissemination_level", text);
        Some(Self {
            country_of_issuance: country_of_issuance?,
            connected_grid_identification: connected_grid_identification?,
            issuing_body: issuing_body?,
            issue_market_zone: issue_market_zone?,
            legal_status,
            issuance_purpose,
            support_received,
            quality_scheme_reference,
            dissemination_level,
        })
    }
}

impl From<MetadataDescription> for MetadataCreate {
    fn from(about: MetadataDescription) -> Self {
        Self {
            country_of_issuance: about.country_of_issuance,
            connected_grid_identification: about.connected_grid_identification,
            issuing_body: about.issuing_body,
            issue_market_zone: about.issue_market_zone,
            legal_status: about.legal_status,
            issuance_purpose: about.issuance_purpose,
            support_received: about.support_received,
            quality_scheme_reference: about.quality_scheme_reference,
            dissemination_level: about.dissemination_level,
        }
    }
}

/// Issuance metadata.
#[derive(Serialize, ToSchema)]
#[schema(as = Metadata)]
struct MetadataBody {
    /// Its number, given by the registry.
    #[schema(example = 1)]
    id: i64,
    #[serde(flatten)]
    about: MetadataCreate,
    /// When it was made.
    created_at: At,
    /// Always `false`: it is never deleted.
    is_deleted: bool,
}

impl From<IssuanceMetadata> for MetadataBody {
    fn from(metadata: IssuanceMetadata) -> Self {
        Self {
            id: metadata.id.0,
            about: metadata.description.into(),
            created_at: metadata.created_at.into(),
            is_deleted: false,
        }
    }
}

/// Create issuance metadata
///
/// For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/certificate/create_metadata", tag = "Certificates", request_body = MetadataCreate,
    responses(
        (status = 201, description = "Created", body = MetadataBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create_metadata(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<MetadataCreate>,
) -> Result<Changed<MetadataBody>, Error> {
    let kept = asked.clone();
    let command = Command::CreateMetadata(MetadataDescription {
        country_of_issuance: asked.country_of_issuance,
        connected_grid_identification: asked.connected_grid_identification,
        issuing_body: asked.issuing_body,
        issue_market_zone: asked.issue_market_zone,
        legal_status: asked.legal_status,
        issuance_purpose: asked.issuance_purpose,
        support_received: asked.support_received,
        quality_scheme_reference: asked.quality_scheme_reference,
        dissemination_level: asked.dissemination_level,
    });
    let carried = carry_out(&app, &caller, command, &kept).await?;
    let Outcome::Metadata(id) = carried.outcome else { return Err(unexpected("creating metadata")) };
    let body = MetadataBody { id: id.0, about: kept, created_at: carried.at.into(), is_deleted: false };
    Ok(Changed { status: StatusCode::CREATED, event: carried.event, body })
}

/// A page of issuance metadata.
#[derive(Serialize, ToSchema)]
#[schema(as = MetadataList)]
struct MetadataPage {
    /// The metadata of this page.
    metadata: Vec<MetadataBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List issuance metadata
///
/// By id. Everybody who is signed in may.
#[utoipa::path(
    get, path = "/certificate/metadata/list", tag = "Certificates", params(Paged<i64>, Fresh),
    responses((status = 200, description = "A page of metadata", body = MetadataPage), ReadProblems),
)]
async fn list_metadata(
    State(app): State<App>,
    _: Caller,
    Query(Paged(paging)): Query<Paged<i64>>,
    Fresh(fresh): Fresh,
) -> Result<Json<MetadataPage>, Error> {
    let page = app.blocking(move |registry| registry.all_metadata(paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(MetadataPage { metadata: page.entries.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Read issuance metadata
///
/// Everybody who is signed in may.
#[utoipa::path(
    get, path = "/certificate/metadata/{id}", tag = "Certificates",
    params(("id" = i64, Path, description = "The metadata's id", minimum = 1), Fresh),
    responses((status = 200, description = "The metadata", body = MetadataBody), ReadProblems, IdProblems),
)]
async fn read_metadata(
    State(app): State<App>,
    _: Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<MetadataBody>, Error> {
    let metadata = app.blocking(move |registry| registry.metadata(MetadataId(id), fresh)).await?;
    Ok(Json(metadata.into()))
}

/// The state of a bundle.
#[derive(Serialize, ToSchema)]
#[schema(as = BundleStatus)]
#[expect(dead_code, reason = "documents the words; values are domain::BundleStatus")]
pub(super) enum BundleStatusWord {
    Active,
    Cancelled,
    Claimed,
    Expired,
    Withdrawn,
    Locked,
    Reserved,
    /// The parent of a split.
    #[serde(rename = "Bundle Split")]
    Split,
}

/// Certificates of one device and one production interval, held together. One certificate is one Wh.
#[derive(Serialize, ToSchema)]
#[schema(as = Bundle)]
pub(super) struct BundleBody {
    /// Its number, given by the registry.
    #[schema(example = 100)]
    id: i64,
    /// Shared by all bundles of one device, carrier and interval.
    #[schema(example = "12-electricity-20260101T130000Z")]
    issuance_id: String,
    /// SHA-256 over the attributes, the range and the parent's hash; hexadecimal.
    hash: String,
    #[schema(value_type = BundleStatusWord)]
    certificate_bundle_status: BundleStatus,
    /// The account that holds it.
    account_id: i64,
    /// The issuance metadata that it was issued under.
    metadata_id: i64,
    /// Its first certificate, included; numbered per device from 1, each of 1 Wh.
    certificate_bundle_id_range_start: u64,
    /// Its last certificate, included.
    certificate_bundle_id_range_end: u64,
    /// How many certificates it holds, which is how many Wh.
    bundle_quantity: u64,
    /// For whom it was cancelled, as it is shown; `null` until it is.
    beneficiary: Option<String>,
    /// The account whose users may read and claim it once it is cancelled; `null` if none was named.
    beneficiary_account_id: Option<i64>,
    energy_carrier: EnergyCarrierName,
    #[schema(value_type = EnergySourceWord)]
    energy_source: EnergySource,
    /// Wh of one certificate: always 1.
    face_value: u8,
    /// Whether it was issued after a conversion to another carrier: always `false` in this version.
    issuance_post_energy_carrier_conversion: bool,
    /// Not stated by this version: always `null`.
    emissions_factor_production_device: Option<u64>,
    /// Not stated by this version: always `null`.
    emissions_factor_source: Option<String>,
    /// The device that made the energy.
    device_id: i64,
    /// When the interval of production begins, included.
    production_starting_interval: At,
    /// When the interval of production ends, not included.
    production_ending_interval: At,
    /// When it was issued.
    issuance_datestamp: At,
    /// From then on it can no longer be transferred or cancelled.
    expiry_datestamp: At,
    /// EnergyTag's configuration under which it was issued.
    registry_configuration: u8,
    /// Whether it was issued on a discharge of storage.
    is_storage: bool,
    /// The discharge record that it was issued on; `null` of production.
    sdr_allocation_id: Option<i64>,
    /// What of the energy that was charged came out: to 18 digits, rounded down; `null` of production.
    storage_efficiency_factor: Option<Factor>,
    /// The bundle it was split from; `null` if it was issued.
    parent_id: Option<i64>,
    created_at: At,
    /// Always `false`: it is never deleted.
    is_deleted: bool,
}

/// What carries the energy.
#[derive(Serialize, ToSchema)]
#[schema(as = EnergyCarrier)]
#[serde(rename_all = "snake_case")]
pub(super) enum EnergyCarrierName {
    Electricity,
    NaturalGas,
    Hydrogen,
    Heat,
    Other,
}

impl From<EnergyCarrier> for EnergyCarrierName {
    fn from(carrier: EnergyCarrier) -> Self {
        match carrier {
            EnergyCarrier::Electricity => Self::Electricity,
            EnergyCarrier::NaturalGas => Self::NaturalGas,
            EnergyCarrier::Hydrogen => Self::Hydrogen,
            EnergyCarrier::Heat => Self::Heat,
            EnergyCarrier::Other => Self::Other,
        }
    }
}

impl From<&BundleView> for BundleBody {
    fn from(view: &BundleView) -> Self {
        let (bundle, attributes) = (&view.bundle, &view.attributes);
        let cancellation = bundle.cancellation.as_deref();
        Self {
            id: bundle.id.0,
            issuance_id: view.issuance_id(),
            hash: hex(&bundle.hash),
            certificate_bundle_status: view.status,
            account_id: bundle.account_id.0,
            metadata_id: attributes.metadata_id.0,
            certificate_bundle_id_range_start: bundle.range.first(),
            certificate_bundle_id_range_end: bundle.range.last(),
            bundle_quantity: bundle.range.quantity().0,
            beneficiary: cancellation.map(|c| c.beneficiary.clone()),
            beneficiary_account_id: cancellation.and_then(|c| c.beneficiary_account).map(|id| id.0),
            energy_carrier: attributes.energy_carrier.into(),
            energy_source: attributes.device.energy_source,
            face_value: 1,
            issuance_post_energy_carrier_conversion: false,
            emissions_factor_production_device: None,
            emissions_factor_source: None,
            device_id: bundle.device_id.0,
            production_starting_interval: bundle.production.start().into(),
            production_ending_interval: bundle.production.end().into(),
            issuance_datestamp: bundle.issued_at.into(),
            expiry_datestamp: bundle.expires_at.into(),
            registry_configuration: REGISTRY_CONFIGURATION,
            is_storage: bundle.draw_id.is_some(),
            sdr_allocation_id: view.discharged.map(|of| of.sdr_id.0),
            storage_efficiency_factor: view.discharged.map(|of| Factor(of.efficiency)),
            parent_id: bundle.parent_id.map(|id| id.0),
            created_at: bundle.issued_at.into(),
            is_deleted: false,
        }
    }
}

/// A bundle with what its certificates say of their device and issuing body, as it was at issue.
#[derive(Serialize, ToSchema)]
#[schema(as = Certificate)]
struct CertificateBody {
    #[serde(flatten)]
    bundle: BundleBody,
    /// Why it was cancelled; `null` until it is, and if no purpose was given.
    purpose: Option<String>,
    /// What the device was called at issue.
    device_name: String,
    /// The grid that the device was connected to at issue.
    grid: String,
    /// The kind of plant, as free text.
    technology_type: String,
    /// When the device went into operation.
    operational_date: At,
    /// The most the device could deliver at issue, in W.
    capacity: u64,
    /// The most the device could draw at issue, in W.
    peak_demand: u64,
    /// Where the device stood at issue.
    location: String,
    /// The meter behind the readings; `null` if none was stated.
    meter_data_id: Option<String>,
    #[serde(flatten)]
    metadata: MetadataCreate,
    /// Of a certificate issued on a discharge: the storage, and the way back to what was cancelled. `null` of production.
    storage: Option<StorageBody>,
}

/// The storage behind a certificate, and the way back to the certificates that were cancelled for it.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateStorage)]
pub(super) struct StorageBody {
    /// The storage device.
    storage_device_id: i64,
    /// What it was called when the discharge was recorded.
    storage_device_name: String,
    /// Where it stood.
    storage_device_location: String,
    /// The kind of store, as free text.
    storage_device_technology_type: String,
    /// The most it could deliver, in W.
    storage_device_capacity: u64,
    discharging_start_datetime: At,
    discharging_end_datetime: At,
    /// The discharge record.
    sdr_allocation_id: i64,
    /// The charge record that it draws on.
    scr_allocation_id: i64,
    charging_start_datetime: At,
    charging_end_datetime: At,
    /// The bundle that was cancelled for the charge.
    cancelled_bundle_id: i64,
    /// The device that made its energy, or the storage device that gave it out.
    origin_device_id: i64,
    /// Its first certificate, included.
    cancelled_bundle_id_range_start: u64,
    /// Its last certificate, included.
    cancelled_bundle_id_range_end: u64,
}

impl From<&StorageChain> for StorageBody {
    fn from(chain: &StorageChain) -> Self {
        let (discharge, charge) = (&chain.sdr, &chain.scr);
        let (cancelled, storage) = (&chain.cancelled, &chain.storage.device);
        Self {
            storage_device_id: discharge.device_id.0,
            storage_device_name: storage.name.clone(),
            storage_device_location: storage.location.clone(),
            storage_device_technology_type: storage.technology_type.clone(),
            storage_device_capacity: storage.capacity_watts,
            discharging_start_datetime: discharge.interval.start().into(),
            discharging_end_datetime: discharge.interval.end().into(),
            sdr_allocation_id: discharge.id.0,
            scr_allocation_id: charge.id.0,
            charging_start_datetime: charge.interval.start().into(),
            charging_end_datetime: charge.interval.end().into(),
            cancelled_bundle_id: cancelled.id.0,
            origin_device_id: cancelled.device_id.0,
            cancelled_bundle_id_range_start: cancelled.range.first(),
            cancelled_bundle_id_range_end: cancelled.range.last(),
        }
    }
}

impl From<CertificateView> for CertificateBody {
    fn from(certificate: CertificateView) -> Self {
        let device = certificate.view.attributes.device.clone();
        Self {
            bundle: (&certificate.view).into(),
            purpose: certificate.view.bundle.cancellation.as_deref().and_then(|c| c.purpose.clone()),
            device_name: device.name,
            grid: device.grid,
            technology_type: device.technology_type,
            operational_date: device.operational_date.into(),
            capacity: device.capacity_watts,
            peak_demand: device.peak_demand_watts,
            location: device.location,
            meter_data_id: device.meter_data_id,
            storage: certificate.chain.as_ref().map(Into::into),
            metadata: certificate.metadata.description.into(),
        }
    }
}

/// Read a certificate bundle
///
/// Of the caller's accounts, cancelled for one of them, or any for those who may read everything.
#[utoipa::path(
    get, path = "/certificate/{id}", tag = "Certificates",
    params(("id" = i64, Path, description = "The bundle's id", minimum = 1), Fresh),
    responses((status = 200, description = "The bundle", body = CertificateBody), ReadProblems, IdProblems),
)]
async fn read_certificate(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<CertificateBody>, Error> {
    let view = app.blocking(move |registry| registry.certificate(&caller, BundleId(id), fresh)).await?;
    Ok(Json(view.into()))
}
