//! The issuer makes one bundle by stating it.

use super::certificate::{BundleBody, BundleStatusWord, EnergyCarrierName};
use super::device::EnergySourceWord;
use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, any_text, boolean, id, instant, rule, text, whole, word};
use crate::openapi::ChangeProblems;
use crate::wire::{At, Changed};
use crate::{App, Error};
use app::BundleView;
use axum::extract::State;
use axum::http::StatusCode;
use domain::action::{CreateBundle, Stated};
use domain::energy::READING_WH_MAX;
use domain::{
    AccountId, BundleStatus, Command, DeviceId, EnergyCarrier, EnergySource, Interval, MetadataId, Outcome, WattHours,
};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The most certificates of a device: every client's JSON numbers hold it exactly.
const CERTIFICATE_MAX: u64 = 9_007_199_254_740_991;
/// As long as a hash in hexadecimal digits.
const HASH_CHARS: usize = 64;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_bundle))
}

/// A bundle as the issuer states it. What the registry assigns may be left out; if it is stated, it must be what is
/// assigned.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = BundleCreate, example = json!({
    "metadata_id": 1, "device_id": 1, "bundle_quantity": 1_000,
    "production_starting_interval": "2026-01-01T12:00:00Z", "production_ending_interval": "2026-01-01T13:00:00Z",
}))]
#[serde(deny_unknown_fields)]
struct CreateBundleAsked {
    /// The issuance metadata to issue it under.
    #[schema(minimum = 1)]
    metadata_id: i64,
    /// An approved production device.
    #[schema(minimum = 1)]
    device_id: i64,
    /// When the interval of production begins, included.
    production_starting_interval: At,
    /// Not included; at most an hour after the start.
    production_ending_interval: At,
    /// Wh: all that can be issued for the interval. Where it has no reading, this becomes it.
    #[schema(minimum = 1, maximum = 9_000_000_000_000_000_i64)]
    bundle_quantity: u64,
    /// If stated, that of the device, electricity and the start of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuance_id: Option<String>,
    /// If stated, the hash that the bundle gets; hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// If stated, the state that it is born in: Active, or Expired where its time is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BundleStatusWord>)]
    certificate_bundle_status: Option<BundleStatus>,
    /// If stated, the account of the device, to which the bundle goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    account_id: Option<i64>,
    /// If stated, the first certificate that the bundle gets, included; numbered per device from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_bundle_id_range_start: Option<u64>,
    /// If stated, the last certificate that the bundle gets, included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_bundle_id_range_end: Option<u64>,
    /// If stated, `electricity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EnergyCarrierName>)]
    energy_carrier: Option<EnergyCarrier>,
    /// If stated, that of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EnergySourceWord>)]
    energy_source: Option<EnergySource>,
    /// If stated, 1: Wh of one certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    face_value: Option<u64>,
    /// If stated, `false`: nothing is converted before issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuance_post_energy_carrier_conversion: Option<bool>,
    /// If stated, when the bundle expires by the registry's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_datestamp: Option<At>,
    /// If stated, `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_storage: Option<bool>,
    #[serde(skip)]
    #[schema(ignore)]
    production: Option<Interval>,
    #[serde(skip)]
    #[schema(ignore)]
    issuance: Option<(DeviceId, Timestamp)>,
}

/// What other registries state of a bundle and this one does not; accepted as long as it is null.
const NOT_STATED: [&str; 7] = [
    "beneficiary",
    "emissions_factor_production_device",
    "emissions_factor_source",
    "sdr_allocation_id",
    "allocated_storage_record_id",
    "storage_efficiency_factor",
    "parent_id",
];

impl Read for CreateBundleAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let metadata_id = fields.required("metadata_id", id);
        let device_id = fields.required("device_id", id);
        let start = fields.required("production_starting_interval", instant);
        let end = fields.required("production_ending_interval", instant);
        let production = start.zip(end).and_then(|(start, end)| {
            let found = Interval::new(start, end);
            if found.is_none() {
                let msg = "Value error, the interval must end after it starts";
                fields.fault("production_ending_interval", rule("value_error", msg));
            }
            found
        });
        let bundle_quantity = fields.required("bundle_quantity", whole(1, READING_WH_MAX));
        let issuance_id = fields.optional("issuance_id", text);
        let issuance = issuance_id.as_deref().and_then(|id| {
            // nothing is created on a discharge here
            let found = app::parse_issuance_id(id).filter(|of| of.sdr_id.is_none());
            if found.is_none() {
                fields.fault("issuance_id", rule("value_error", format!("Value error, Invalid issuance ID: {id}")));
            }
            found.map(|of| (of.device_id, of.start))
        });
        let certificate = whole(1, CERTIFICATE_MAX);
        let asked = Self {
            metadata_id: metadata_id.unwrap_or_default(),
            device_id: device_id.unwrap_or_default(),
            production_starting_interval: start.unwrap_or_default().into(),
            production_ending_interval: end.unwrap_or_default().into(),
            bundle_quantity: bundle_quantity.unwrap_or_default(),
            issuance_id,
            hash: fields.optional("hash", any_text(1, HASH_CHARS)),
            certificate_bundle_status: fields
                .optional("certificate_bundle_status", word(BundleStatus::ALL, BundleStatus::name)),
            account_id: fields.optional("account_id", id),
            certificate_bundle_id_range_start: fields.optional("certificate_bundle_id_range_start", certificate),
            certificate_bundle_id_range_end: fields.optional("certificate_bundle_id_range_end", certificate),
            energy_carrier: fields.optional("energy_carrier", word(EnergyCarrier::ALL, EnergyCarrier::name)),
            energy_source: fields.optional("energy_source", word(EnergySource::ALL, EnergySource::name)),
            face_value: fields.optional("face_value", whole(0, CERTIFICATE_MAX)),
            issuance_post_energy_carrier_conversion: fields
                .optional("issuance_post_energy_carrier_conversion", boolean),
            expiry_datestamp: fields.optional("expiry_datestamp", instant).map(At),
            is_storage: fields.optional("is_storage", boolean),
            production,
            issuance,
        };
        fields.pass_over_nulls(&NOT_STATED);
        metadata_id.and(device_id).and(bundle_quantity).and(production).map(|_| asked)
    }
}

impl CreateBundleAsked {
    fn command(&self, production: Interval) -> Command {
        let stated = Stated {
            issuance: self.issuance,
            account_id: self.account_id.map(AccountId),
            status: self.certificate_bundle_status,
            range_first: self.certificate_bundle_id_range_start,
            range_last: self.certificate_bundle_id_range_end,
            energy_carrier: self.energy_carrier,
            energy_source: self.energy_source,
            face_value: self.face_value,
            is_post_conversion: self.issuance_post_energy_carrier_conversion,
            expires_at: self.expiry_datestamp.map(|at| at.0),
            is_storage: self.is_storage,
            hash: self.hash.clone(),
        };
        Command::CreateBundle(CreateBundle {
            metadata_id: MetadataId(self.metadata_id),
            device_id: DeviceId(self.device_id),
            production,
            quantity: WattHours(self.bundle_quantity),
            stated,
        })
    }
}

/// The bundle that was made, or that a dry run would make: that one has neither an id nor a hash.
struct CreatedBody {
    bundle: BundleBody,
    exists: bool,
}

impl Serialize for CreatedBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.exists {
            return self.bundle.serialize(serializer);
        }
        let mut bundle = serde_json::to_value(&self.bundle).map_err(serde::ser::Error::custom)?;
        for member in OF_THE_MADE {
            bundle[member] = serde_json::Value::Null;
        }
        bundle.serialize(serializer)
    }
}

/// What only a bundle that exists has.
const OF_THE_MADE: [&str; 2] = ["id", "hash"];

impl PartialSchema for CreatedBody {
    fn schema() -> RefOr<Schema> {
        let mut schema = BundleBody::schema();
        if let RefOr::T(Schema::Object(bundle)) = &mut schema {
            for member in OF_THE_MADE {
                if let Some(RefOr::T(Schema::Object(property))) = bundle.properties.get_mut(member)
                    && let SchemaType::Type(known) = property.schema_type.clone()
                {
                    property.schema_type = SchemaType::from_iter([known, Type::Null]);
                    property.description = Some("`null` in a dry run.".to_owned());
                }
            }
        }
        schema
    }
}

impl ToSchema for CreatedBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("CreatedBundle")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        BundleBody::schemas(schemas);
    }
}

/// Create a bundle
///
/// By the issuer, under every rule of issue. Where the interval has no reading yet, the statement itself is recorded as the
/// reading. What is stated of range, quantity, state, expiry, hash or issuance id must be what the registry assigns. For the
/// Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/certificate/create", tag = "Certificates", request_body = CreateBundleAsked,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 201, description = "The bundle", body = CreatedBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create_bundle(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<CreateBundleAsked>,
) -> Result<Changed<CreatedBody>, Error> {
    let command = asked.command(asked.production.ok_or(Error::NotRead)?);
    let (outcome, event) = if dry_run {
        let (answer, _) = app.blocking(move |registry| registry.dry_run(&caller, &command)).await?;
        let event = answer.event_number;
        (answer.outcome(), event)
    } else {
        let carried = carry_out(&app, &caller, command, &asked).await?;
        (carried.outcome, carried.event)
    };
    let Outcome::Created(created) = outcome else { return Err(unexpected("creating a bundle")) };
    let (bundle, attributes) = (created.bundle, Arc::new(created.attributes));
    let view = BundleView { status: bundle.status, discharged: None, storage: None, bundle, attributes };
    let body = CreatedBody { bundle: (&view).into(), exists: !dry_run };
    Ok(Changed { status: StatusCode::CREATED, event, body })
}
