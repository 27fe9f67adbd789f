//! From what was cancelled for storage on to what came out of it.
//!
//! Invariant: who may not read the charge hears nothing of it, and of the certificates that came out those only that they
//! may read.

use super::{ChargeView, DischargeView};
use crate::certificate::BundleView;
use crate::{Caller, Error, Registry};
use domain::{BundleId, EventNumber, ScrId};

/// Discharges of one charge that are followed.
const FOLLOWED_MAX: usize = 10;

/// What became of certificates that were cancelled for storage.
#[derive(Clone, Debug)]
pub struct StorageUse {
    /// The standing record that they back.
    pub charge: ChargeView,
    /// The first discharges that draw on it.
    pub discharges: Vec<DrawnOn>,
    /// Whether there are others.
    pub has_more: bool,
}

/// A discharge, as far as it draws on one charge.
#[derive(Clone, Debug)]
pub struct DrawnOn {
    /// With its draws of that charge alone.
    pub discharge: DischargeView,
    /// The certificates that were issued on these, as far as they are the caller's to read.
    pub bundles: Vec<BundleView>,
}

impl Registry {
    /// What became of a bundle that was cancelled for storage; `None` if it backs no charge, or none that the caller may
    /// read. Blocks.
    pub fn storage_use(
        &self,
        caller: &Caller,
        id: BundleId,
        fresh: Option<EventNumber>,
    ) -> Result<Option<StorageUse>, Error> {
        let on = self.read(fresh, |connection| store::storage::allocated(connection, &[id.0]))?;
        let Some((_, scr)) = on.first() else { return Ok(None) };
        let charge = match self.charge(caller, *scr, fresh) {
            Ok(charge) => charge,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let drawn = charge.drawn_by.iter().take(FOLLOWED_MAX);
        let discharges = drawn.map(|sdr| {
            let discharge = drawn_on(self.discharge(caller, *sdr, fresh)?, *scr);
            Ok(DrawnOn { bundles: self.bundles_of_discharge(caller, &discharge, fresh)?, discharge })
        });
        let discharges = discharges.collect::<Result<Vec<_>, Error>>()?;
        let has_more = charge.drawn_by.len() > FOLLOWED_MAX;
        Ok(Some(StorageUse { charge, discharges, has_more }))
    }
}

fn drawn_on(mut discharge: DischargeView, scr: ScrId) -> DischargeView {
    discharge.draws.retain(|view| view.draw.scr_id == scr);
    discharge
}
