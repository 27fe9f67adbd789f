//! Devices: what is metered. Invariant: certificates of a device are numbered from 1 by the device's own counter.

use crate::{AccountId, DeviceId, GrossNet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The largest capacity or peak demand, in W: a terawatt, above every device on earth and below 2^53.
pub const POWER_WATTS_MAX: u64 = 1_000_000_000_000;

/// Declares an enum whose values have a name on the wire and a code in the databases and the log that never changes.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $code:literal $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$note])* #[serde(rename = $wire)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }

            /// The code in the databases and in sealed events.
            pub const fn code(self) -> i64 {
                match self { $(Self::$variant => $code),+ }
            }

            pub fn from_code(code: i64) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.code() == code)
            }

            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use vocabulary;

vocabulary! {
    /// What the energy was made from.
    EnergySource {
        SolarPv = 1 "solar_pv", Wind = 2 "wind", Hydro = 3 "hydro", Biomass = 4 "biomass", Nuclear = 5 "nuclear",
        Electrolysis = 6 "electrolysis", Geothermal = 7 "geothermal", BatteryStorage = 8 "battery_storage",
        Chp = 9 "chp", Gas = 10 "gas", Oil = 11 "oil", Coal = 12 "coal", Other = 13 "other",
    }
}

vocabulary! {
    /// What carries the energy. Version 2 of the standard certifies electricity.
    EnergyCarrier {
        Electricity = 1 "electricity", NaturalGas = 2 "natural_gas", Hydrogen = 3 "hydrogen", Heat = 4 "heat",
        Other = 5 "other",
    }
}

vocabulary! {
    /// What a device does. Certificates are issued for production; consumption is matched; storage is recorded.
    DeviceKind { Production = 1 "production", Consumption = 2 "consumption", Storage = 3 "storage" }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    pub account_id: AccountId,
    pub description: DeviceDescription,
    /// Counts changes of what certificates say of the device, from 1.
    pub version: i64,
    pub is_approved: bool,
    pub is_deleted: bool,
    pub created_at: Timestamp,
    /// Whether its meter counts gross or net, fixed by its first accepted reading.
    pub gross_net: Option<GrossNet>,
    /// The id that the next certificate gets; from 1, never reused.
    pub next_certificate: u64,
}

/// What is stated of a device; texts of 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDescription {
    pub name: String,
    /// The grid it is connected to.
    pub grid: String,
    pub energy_source: EnergySource,
    pub technology_type: String,
    /// When it became operational; nothing is issued before.
    pub operational_date: Timestamp,
    /// The most it can deliver, in W.
    pub capacity_watts: u64,
    /// The most it can draw, in W.
    pub peak_demand_watts: u64,
    pub location: String,
    /// The meter behind its readings: unique for ever, as two devices on one meter would count it twice.
    pub meter_data_id: Option<String>,
    pub kind: DeviceKind,
}
