//! What goes on by itself in the demonstration, and what came later: a standing order that has run once, and corrections of
//! readings that certificates were issued for.

use super::{DAY, Filling};
use crate::failure::Failure;
use crate::registry::operator;
use app::{MeasurementQuery, Paging};
use domain::action::{MeasurementUpdate, StatedPlace};
use domain::recurring_order::{OrderDeed, OrderTerms, PeriodUnit};
use domain::{Actor, Command, Portion, Ratio, Role, Schedule};
use jiff::SignedDuration;

/// Who orders, for whom, and what share of what is there.
const ORDER: (&str, &str, &str) = ("Marrowfield Trading", "Marrowfield Households", "0.25");
/// Of which device, how many days before the last, in which hour, a reading turns out to be how many per mille of what it was.
const CORRECTIONS: [(&str, i32, i64, i64); 2] =
    [("Bryn Barcud Wind Farm", 2, 14, 940), ("Curlew Fen Solar Farm", 31, 11, 1_020)];

impl Filling<'_> {
    /// Places the supplier's order, which is due at once and from then on each day.
    pub(super) fn order(&self) -> Result<(), Failure> {
        let (source, target, share) = ORDER;
        let terms = OrderTerms {
            deed: OrderDeed::Transfer { target: self.accounts[target] },
            source: self.accounts[source],
            schedule: Schedule { first_at: self.to, unit: PeriodUnit::Days, every: 1, runs: None },
            device: None,
            energy_source: None,
            portion: Portion::Share(Ratio::parse(share).expect("a share is a decimal")),
        };
        self.act(Actor::User(self.trader_of(source)), Command::PlaceOrder(terms))?;
        self.registry.run_due_orders()?;
        Ok(())
    }

    /// Corrects readings of which there are some so long ago.
    pub(super) fn corrections(&self) -> Result<(), Failure> {
        let body = Actor::User(self.holder_of(Role::MeasurementBody));
        for (name, days, hour, per_mille) in CORRECTIONS {
            let start = self.to - DAY - DAY * days + SignedDuration::from_hours(hour);
            let place = self.data.registry.devices.iter().position(|device| device.name == name);
            let device = self.devices[place.expect("a correction names a device of the file")];
            let query = MeasurementQuery {
                device,
                from: Some(start),
                to: Some(start + SignedDuration::from_hours(1)),
                status: None,
                all_versions: false,
                paging: Paging { limit: 1, after: None },
            };
            let found = self.registry.measurements(&operator(), &query, None)?.entries;
            let Some(view) = found.first() else { continue };
            let update = MeasurementUpdate {
                measurement: view.measurement.id,
                energy_wh: Some(view.measurement.reading.energy_wh * per_mille / 1_000),
                quality: None,
                place: StatedPlace::default(),
                source: None,
            };
            self.act(body, Command::UpdateMeasurement(update))?;
        }
        Ok(())
    }
}
