//! Storage records as they are answered.

use super::METHODOLOGY;
use crate::api::certificate::BundleStatusWord;
use crate::api::device::EnergySourceWord;
use crate::wire::{At, Factor};
use app::{ChargeView, DischargeView, DrawView, StorageSummary};
use domain::action::BundleResult;
use domain::{AllocationMethod, BundleStatus, Draw, Efficiency, EnergySource, Scr, Sdr, WattHours};
use serde::Serialize;
use utoipa::ToSchema;

/// From which charges a discharge is drawn.
#[derive(ToSchema)]
#[schema(as = AllocationMethod)]
#[expect(dead_code, reason = "documents the words; values are domain::AllocationMethod")]
pub(super) enum MethodWord {
    /// The oldest charge first.
    #[schema(rename = "FIFO")]
    Fifo,
    /// The newest charge first.
    #[schema(rename = "LIFO")]
    Lifo,
    /// Each charge in proportion to what is left of it.
    #[schema(rename = "weighted average")]
    WeightedAverage,
    /// As the operator states.
    #[schema(rename = "operator's discretion")]
    Discretion,
}

/// A storage charge record.
#[derive(Serialize, ToSchema)]
#[schema(as = Scr)]
pub(super) struct ChargeBody {
    /// Its number; `null` in a dry run that would make it.
    id: Option<i64>,
    /// The same.
    scr_allocation_id: Option<i64>,
    /// The storage device.
    device_id: i64,
    /// Its account; `null` in a dry run.
    account_id: Option<i64>,
    charging_start_datetime: At,
    charging_end_datetime: At,
    /// What was charged, in Wh.
    charging_energy: u64,
    /// What the certificates behind it were made from; `null` without any, and in a dry run.
    #[schema(value_type = Option<EnergySourceWord>)]
    charging_energy_source: Option<EnergySource>,
    /// The issuance of the certificates that back it; `null` without any, and in a dry run.
    gc_issuance_id: Option<String>,
    /// The bundle of just these certificates; `null` without any, and in a dry run.
    gc_bundle_id: Option<i64>,
    /// The first of them, included.
    certificate_bundle_id_range_start: Option<u64>,
    /// The last of them, included.
    certificate_bundle_id_range_end: Option<u64>,
    /// Of what was charged, in Wh, what certificates back.
    backed_energy: u64,
    /// What standing discharges draw of that.
    drawn_backed_energy: u64,
    /// What they draw of the rest.
    drawn_unbacked_energy: u64,
    /// What is left in the reservoir.
    remaining_energy: u64,
    /// How the place of production was matched with that of storage; `null` if it was not stated.
    scr_geographic_matching_method: Option<String>,
    /// The discharge that draws on it, if there is just one.
    sdr_allocation_id: Option<i64>,
    /// The discharges that draw on it, the first 10,000.
    sdr_allocation_ids: Vec<i64>,
    created_at: At,
    /// Whether it was withdrawn.
    is_deleted: bool,
}

impl ChargeBody {
    fn of(scr: &Scr) -> Self {
        Self {
            id: Some(scr.id.0),
            scr_allocation_id: Some(scr.id.0),
            device_id: scr.device_id.0,
            account_id: None,
            charging_start_datetime: scr.interval.start().into(),
            charging_end_datetime: scr.interval.end().into(),
            charging_energy: scr.energy.0,
            charging_energy_source: None,
            gc_issuance_id: None,
            gc_bundle_id: None,
            certificate_bundle_id_range_start: None,
            certificate_bundle_id_range_end: None,
            backed_energy: scr.charged().backed.0,
            drawn_backed_energy: scr.drawn.backed.0,
            drawn_unbacked_energy: scr.drawn.unbacked.0,
            remaining_energy: scr.open().total().0,
            scr_geographic_matching_method: scr.matching_method.clone(),
            sdr_allocation_id: None,
            sdr_allocation_ids: Vec::new(),
            created_at: scr.created_at.into(),
            is_deleted: scr.is_withdrawn,
        }
    }

    /// What a dry run tells.
    pub(super) fn tried(scr: &Scr, is_new: bool) -> Self {
        let number = (!is_new).then_some(scr.id.0);
        Self { id: number, scr_allocation_id: number, ..Self::of(scr) }
    }
}

/// The one thing of a list, if it is just one.
fn only(of: &[i64]) -> Option<i64> {
    if let [one] = of { Some(*one) } else { None }
}

impl From<&ChargeView> for ChargeBody {
    fn from(view: &ChargeView) -> Self {
        let allocated = view.allocated.as_ref();
        let drawn_by: Vec<i64> = view.drawn_by.iter().map(|id| id.0).collect();
        Self {
            account_id: Some(view.account_id.0),
            charging_energy_source: allocated.map(|of| of.energy_source),
            gc_issuance_id: allocated.map(|of| of.issuance_id.clone()),
            gc_bundle_id: allocated.map(|of| of.bundle.id.0),
            certificate_bundle_id_range_start: allocated.map(|of| of.bundle.range.first()),
            certificate_bundle_id_range_end: allocated.map(|of| of.bundle.range.last()),
            sdr_allocation_id: only(&drawn_by),
            sdr_allocation_ids: drawn_by,
            ..Self::of(&view.scr)
        }
    }
}

/// What a discharge draws of a charge.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageDraw)]
struct DrawBody {
    /// Its number; `null` in a dry run that would make it.
    id: Option<i64>,
    /// The charge.
    scr_allocation_id: i64,
    /// What the certificates behind it were made from; `null` of none, and in a dry run.
    #[schema(value_type = Option<EnergySourceWord>)]
    charging_energy_source: Option<EnergySource>,
    /// Wh of certificates, gross of losses.
    backed_energy: u64,
    /// Wh of no certificate's origin.
    unbacked_energy: u64,
    /// Certificates that it gives, each of 1 Wh.
    certificate_quantity: u64,
    /// Those of them that are live; `null` in a dry run.
    issued_quantity: Option<u64>,
    /// Wh of certificates that were lost.
    loss: u64,
}

impl DrawBody {
    fn of(draw: &Draw) -> Self {
        Self {
            id: Some(draw.id.0),
            scr_allocation_id: draw.scr_id.0,
            charging_energy_source: None,
            backed_energy: draw.taken.backed.0,
            unbacked_energy: draw.taken.unbacked.0,
            certificate_quantity: draw.certificates.0,
            issued_quantity: None,
            loss: draw.loss().0,
        }
    }
}

impl From<&DrawView> for DrawBody {
    fn from(view: &DrawView) -> Self {
        let energy_source = view.energy_source;
        Self { charging_energy_source: energy_source, issued_quantity: Some(view.live.0), ..Self::of(&view.draw) }
    }
}

/// A storage discharge record.
#[derive(Serialize, ToSchema)]
#[schema(as = Sdr)]
pub(super) struct DischargeBody {
    /// Its number; `null` in a dry run that would make it.
    id: Option<i64>,
    /// The same.
    sdr_allocation_id: Option<i64>,
    /// The storage device.
    device_id: i64,
    /// Its account; `null` in a dry run.
    account_id: Option<i64>,
    discharging_start_datetime: At,
    discharging_end_datetime: At,
    /// What was discharged, in Wh.
    discharge_energy: u64,
    /// Of this, what is beyond the reservoir: of unrecorded origin, never certified.
    unrecorded_energy: u64,
    /// What the certificates behind it were made from, if they all were from the same.
    #[schema(value_type = Option<EnergySourceWord>)]
    charging_energy_source: Option<EnergySource>,
    #[schema(value_type = MethodWord)]
    scr_allocation_methodology: AllocationMethod,
    /// How the factor was found.
    efficiency_factor_methodology: &'static str,
    #[serde(flatten)]
    efficiency: EfficiencyBody,
    /// The charge that it draws on, if it is just one.
    scr_allocation_id: Option<i64>,
    /// What it draws of each charge.
    allocations: Vec<DrawBody>,
    created_at: At,
    /// Whether it was withdrawn; it draws nothing then.
    is_deleted: bool,
}

/// What an efficiency factor was taken of.
#[derive(Serialize, ToSchema)]
#[schema(as = EfficiencyFactor)]
struct EfficiencyBody {
    /// The factor to 18 digits, rounded down; exactly, it is (out + end − start) / in.
    efficiency_factor: Factor,
    efficiency_factor_interval_start: At,
    efficiency_factor_interval_end: At,
    /// Wh that went in.
    efficiency_energy_in: u64,
    /// Wh that came out.
    efficiency_energy_out: u64,
    /// Wh in the store at the start.
    state_of_charge_start: u64,
    /// Wh in the store at the end.
    state_of_charge_end: u64,
}

impl From<&Efficiency> for EfficiencyBody {
    fn from(of: &Efficiency) -> Self {
        Self {
            efficiency_factor: Factor(*of),
            efficiency_factor_interval_start: of.interval.start().into(),
            efficiency_factor_interval_end: of.interval.end().into(),
            efficiency_energy_in: of.input.0,
            efficiency_energy_out: of.output.0,
            state_of_charge_start: of.charge_before.0,
            state_of_charge_end: of.charge_after.0,
        }
    }
}

impl DischargeBody {
    fn of(sdr: &Sdr, unrecorded: WattHours, allocations: Vec<DrawBody>) -> Self {
        let charges: Vec<i64> = allocations.iter().map(|draw| draw.scr_allocation_id).collect();
        let mut sources: Vec<EnergySource> =
            allocations.iter().filter_map(|draw| draw.charging_energy_source).collect();
        sources.dedup();
        Self {
            id: Some(sdr.id.0),
            sdr_allocation_id: Some(sdr.id.0),
            device_id: sdr.device_id.0,
            account_id: None,
            discharging_start_datetime: sdr.interval.start().into(),
            discharging_end_datetime: sdr.interval.end().into(),
            discharge_energy: sdr.energy.0,
            unrecorded_energy: unrecorded.0,
            charging_energy_source: if let [one] = sources.as_slice() { Some(*one) } else { None },
            scr_allocation_methodology: sdr.method,
            efficiency_factor_methodology: METHODOLOGY,
            efficiency: (&sdr.efficiency).into(),
            scr_allocation_id: only(&charges),
            allocations,
            created_at: sdr.created_at.into(),
            is_deleted: sdr.is_withdrawn,
        }
    }

    /// What a dry run tells.
    pub(super) fn tried(sdr: &Sdr, draws: &[Draw], is_new: bool) -> Self {
        let views = draws.iter().map(|draw| DrawView { draw: *draw, live: WattHours::ZERO, energy_source: None });
        let view = DischargeView { sdr: *sdr, account_id: domain::AccountId(0), draws: views.collect() };
        let draws = draws.iter().map(|draw| DrawBody { id: (!is_new).then_some(draw.id.0), ..DrawBody::of(draw) });
        let number = (!is_new).then_some(sdr.id.0);
        Self { id: number, sdr_allocation_id: number, ..Self::of(sdr, view.unrecorded(), draws.collect()) }
    }
}

impl From<&DischargeView> for DischargeBody {
    fn from(view: &DischargeView) -> Self {
        let draws = view.draws.iter().map(DrawBody::from).collect();
        Self { account_id: Some(view.account_id.0), ..Self::of(&view.sdr, view.unrecorded(), draws) }
    }
}

/// What the standing records of a storage device come to, in Wh. Charged is certified + lost + drawn of no certificate + left.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageSummary)]
pub(super) struct SummaryBody {
    /// The storage device.
    device_id: i64,
    /// Its account.
    account_id: i64,
    /// Charge records.
    num_scrs: u64,
    /// Discharge records.
    num_sdrs: u64,
    /// All that was charged.
    charged_energy: u64,
    /// Of this, what certificates back.
    backed_energy: u64,
    /// All that was discharged.
    discharged_energy: u64,
    /// Certificates of discharges, issued or still to be issued.
    certified_energy: u64,
    /// Those of them that are live.
    issued_energy: u64,
    /// Those that are still to be issued.
    issuable_energy: u64,
    /// What was drawn of certificates and did not come out.
    lost_energy: u64,
    /// What was drawn of no certificate's origin.
    unbacked_drawn_energy: u64,
    /// What is left.
    reservoir_energy: u64,
    /// Of this, what certificates back.
    reservoir_backed_energy: u64,
    /// As the first discharge fixed it; `null` before.
    #[schema(value_type = Option<MethodWord>)]
    scr_allocation_methodology: Option<AllocationMethod>,
    /// Of the last standing discharge; `null` without one.
    efficiency: Option<EfficiencyBody>,
}

impl From<&StorageSummary> for SummaryBody {
    fn from(of: &StorageSummary) -> Self {
        let (reservoir_backed, reservoir) = of.reservoir();
        Self {
            device_id: of.device_id.0,
            account_id: of.account_id.0,
            num_scrs: of.sums.charges,
            num_sdrs: of.sums.discharges,
            charged_energy: of.sums.charged.0,
            backed_energy: of.sums.backed.0,
            discharged_energy: of.sums.discharged.0,
            certified_energy: of.sums.certificates.0,
            issued_energy: of.sums.issued.0,
            issuable_energy: of.issuable().0,
            lost_energy: of.losses().0,
            unbacked_drawn_energy: of.sums.drawn_unbacked.0,
            reservoir_energy: reservoir.0,
            reservoir_backed_energy: reservoir_backed.0,
            scr_allocation_methodology: of.method,
            efficiency: of.efficiency.as_ref().map(Into::into),
        }
    }
}

/// Certificates that were issued on a discharge.
#[derive(Serialize, ToSchema)]
#[schema(as = SdgcIssued)]
pub(super) struct IssuedBody {
    /// The discharge.
    sdr_allocation_id: i64,
    /// The bundles.
    result: Vec<IssuedBundle>,
    /// What was issued, in Wh.
    total_quantity: u64,
}

/// A bundle that was issued on a discharge.
#[derive(Serialize, ToSchema)]
#[schema(as = SdgcBundle)]
struct IssuedBundle {
    /// `null` in a dry run.
    bundle_id: Option<i64>,
    /// Its first certificate, included.
    range_start: u64,
    /// Its last certificate, included.
    range_end: u64,
    /// What it holds, in Wh.
    quantity: u64,
    #[schema(value_type = BundleStatusWord)]
    status: BundleStatus,
    /// The storage device's account.
    account_id: i64,
}

impl IssuedBody {
    pub(super) fn of(sdr: i64, result: &[BundleResult], total: WattHours, dry_run: bool) -> Self {
        let bundle = |made: &BundleResult| IssuedBundle {
            bundle_id: (!dry_run).then_some(made.bundle_id.0),
            range_start: made.range.first(),
            range_end: made.range.last(),
            quantity: made.range.quantity().0,
            status: made.status,
            account_id: made.account_id.0,
        };
        Self { sdr_allocation_id: sdr, result: result.iter().map(bundle).collect(), total_quantity: total.0 }
    }
}
