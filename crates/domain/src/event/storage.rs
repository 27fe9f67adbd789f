//! The fields of storage records. That one was withdrawn is a DELETE; what a discharge drew goes with it.

use super::Fields;
use crate::{Draw, Scr, Sdr};

/// Tags of a storage charge record.
pub mod scr_tag {
    pub const DEVICE_ID: u8 = 1;
    pub const START: u8 = 2;
    pub const END: u8 = 3;
    pub const ENERGY: u8 = 4;
    /// The bundle of exactly the certificates that were allocated, and their Wh.
    pub const BUNDLE_ID: u8 = 5;
    pub const BACKED: u8 = 6;
    pub const MATCHING_METHOD: u8 = 7;
    pub const CREATED_AT: u8 = 8;
}

pub(super) fn scr_fields(f: &mut Fields<'_>, scr: &Scr) {
    f.integer(scr_tag::DEVICE_ID, scr.device_id.0);
    f.instant(scr_tag::START, scr.interval.start());
    f.instant(scr_tag::END, scr.interval.end());
    f.count(scr_tag::ENERGY, scr.energy.0);
    if let Some(backing) = scr.backing {
        f.integer(scr_tag::BUNDLE_ID, backing.bundle_id.0);
        f.count(scr_tag::BACKED, backing.energy.0);
    }
    f.optional_text(scr_tag::MATCHING_METHOD, scr.matching_method.as_deref());
    f.instant(scr_tag::CREATED_AT, scr.created_at);
}

/// Tags of a storage discharge record.
pub mod sdr_tag {
    pub const DEVICE_ID: u8 = 1;
    pub const START: u8 = 2;
    pub const END: u8 = 3;
    pub const ENERGY: u8 = 4;
    pub const METHOD: u8 = 5;
    /// What the efficiency factor was taken of: its interval, Wh in and out, Wh of charge before and after.
    pub const EFFICIENCY_START: u8 = 6;
    pub const EFFICIENCY_END: u8 = 7;
    pub const INPUT: u8 = 8;
    pub const OUTPUT: u8 = 9;
    pub const CHARGE_BEFORE: u8 = 10;
    pub const CHARGE_AFTER: u8 = 11;
    pub const CREATED_AT: u8 = 12;
}

pub(super) fn sdr_fields(f: &mut Fields<'_>, sdr: &Sdr) {
    let efficiency = &sdr.efficiency;
    f.integer(sdr_tag::DEVICE_ID, sdr.device_id.0);
    f.instant(sdr_tag::START, sdr.interval.start());
    f.instant(sdr_tag::END, sdr.interval.end());
    f.count(sdr_tag::ENERGY, sdr.energy.0);
    f.integer(sdr_tag::METHOD, sdr.method.code());
    f.instant(sdr_tag::EFFICIENCY_START, efficiency.interval.start());
    f.instant(sdr_tag::EFFICIENCY_END, efficiency.interval.end());
    f.count(sdr_tag::INPUT, efficiency.input.0);
    f.count(sdr_tag::OUTPUT, efficiency.output.0);
    f.count(sdr_tag::CHARGE_BEFORE, efficiency.charge_before.0);
    f.count(sdr_tag::CHARGE_AFTER, efficiency.charge_after.0);
    f.instant(sdr_tag::CREATED_AT, sdr.created_at);
}

/// Tags of what a discharge draws of a charge.
pub mod draw_tag {
    pub const SDR_ID: u8 = 1;
    pub const SCR_ID: u8 = 2;
    /// Wh, gross, of certificates; and of no certificate's origin.
    pub const BACKED: u8 = 3;
    pub const UNBACKED: u8 = 4;
    /// How many SD-GCs it gives.
    pub const CERTIFICATES: u8 = 5;
    /// The snapshot of the storage device, if it gives any.
    pub const ATTRIBUTES_ID: u8 = 6;
}

pub(super) fn draw_fields(f: &mut Fields<'_>, draw: &Draw) {
    f.integer(draw_tag::SDR_ID, draw.sdr_id.0);
    f.integer(draw_tag::SCR_ID, draw.scr_id.0);
    f.count(draw_tag::BACKED, draw.taken.backed.0);
    f.count(draw_tag::UNBACKED, draw.taken.unbacked.0);
    f.count(draw_tag::CERTIFICATES, draw.certificates.0);
    f.optional_integer(draw_tag::ATTRIBUTES_ID, draw.attributes_id.map(|id| id.0));
}
