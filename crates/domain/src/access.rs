//! Who may do what. Invariant: deny by default; a capability that no line grants is nobody's.
//!
//! The table of roles stands in [`Capability::roles`]; [`State::permits`](crate::State::permits) adds whose account it is.

use crate::{AccountId, UserId};
use serde::{Deserialize, Serialize};

/// What a user is trusted with. A user has any number of roles (names from EnergyTag API v2 and the seed's vocabulary).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    #[serde(rename = "Registry Administrator")]
    RegistryAdministrator,
    #[serde(rename = "GC Issuer")]
    GcIssuer,
    #[serde(rename = "Production Registrar")]
    ProductionRegistrar,
    #[serde(rename = "Measurement Body")]
    MeasurementBody,
    #[serde(rename = "Trading User")]
    TradingUser,
    #[serde(rename = "Production User")]
    ProductionUser,
    #[serde(rename = "Auditor")]
    Auditor,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::RegistryAdministrator,
        Self::GcIssuer,
        Self::ProductionRegistrar,
        Self::MeasurementBody,
        Self::TradingUser,
        Self::ProductionUser,
        Self::Auditor,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegistryAdministrator => "Registry Administrator",
            Self::GcIssuer => "GC Issuer",
            Self::ProductionRegistrar => "Production Registrar",
            Self::MeasurementBody => "Measurement Body",
            Self::TradingUser => "Trading User",
            Self::ProductionUser => "Production User",
            Self::Auditor => "Auditor",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn bit(self) -> u16 {
        match self {
            Self::RegistryAdministrator => 1,
            Self::GcIssuer => 2,
            Self::ProductionRegistrar => 4,
            Self::MeasurementBody => 8,
            Self::TradingUser => 16,
            Self::ProductionUser => 32,
            Self::Auditor => 64,
        }
    }
}

/// A set of roles. Its code is kept in the databases and in sealed events: a role's bit never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u16);

impl Roles {
    pub const NONE: Self = Self(0);

    pub const fn of(roles: &[Role]) -> Self {
        let (mut bits, mut index) = (0, 0);
        while index < roles.len() {
            bits |= roles[index].bit();
            index += 1;
        }
        Self(bits)
    }

    pub fn code(self) -> i64 {
        i64::from(self.0)
    }

    /// `None` for a code with a bit that no role has.
    pub fn from_code(code: i64) -> Option<Self> {
        let bits = u16::try_from(code).ok()?;
        (bits & !Self::of(&Role::ALL).0 == 0).then_some(Self(bits))
    }

    pub const fn contains(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether the two sets share a role.
    pub const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

/// Who a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Somebody at the machine's own console: the command line, the first start. May do everything; is user 0 in the log.
    Operator,
    User(UserId),
}

impl Actor {
    pub const fn code(self) -> i64 {
        match self {
            Self::Operator => 0,
            Self::User(id) => id.0,
        }
    }
}

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    ManageUsers,
    ManageAccounts,
    UpdateWhitelist(AccountId),
    CreateDevice(AccountId),
    ChangeDevice(AccountId),
    ManageDevices,
    /// Any device, as it is registered: whoever works for everybody's devices finds them.
    ReadDevices,
    SubmitReadings,
    /// Of readings that were issued.
    CorrectIssued,
    Issue,
    Trade(AccountId),
    ReadEverything,
    /// What concerns the running program: its log level, its metrics.
    Operate,
}

impl Capability {
    /// The roles that have it wherever, and the roles that have it for accounts they belong to.
    pub const fn roles(self) -> (Roles, Roles) {
        use Role::{
            Auditor, GcIssuer, MeasurementBody, ProductionRegistrar, ProductionUser, RegistryAdministrator, TradingUser,
        };
        match self {
            Self::ManageUsers | Self::ManageAccounts | Self::Operate => {
                (Roles::of(&[RegistryAdministrator]), Roles::NONE)
            }
            Self::UpdateWhitelist(_) => {
                (Roles::of(&[RegistryAdministrator]), Roles::of(&[TradingUser, ProductionUser]))
            }
            Self::CreateDevice(_) | Self::ChangeDevice(_) => {
                (Roles::of(&[RegistryAdministrator, ProductionRegistrar]), Roles::of(&[ProductionUser]))
            }
            Self::ManageDevices => (Roles::of(&[RegistryAdministrator, ProductionRegistrar]), Roles::NONE),
            Self::ReadDevices => (
                Roles::of(&[RegistryAdministrator, GcIssuer, ProductionRegistrar, MeasurementBody, Auditor]),
                Roles::NONE,
            ),
            Self::SubmitReadings => (Roles::of(&[RegistryAdministrator, MeasurementBody]), Roles::NONE),
            Self::CorrectIssued => (Roles::of(&[RegistryAdministrator, GcIssuer, MeasurementBody]), Roles::NONE),
            Self::Issue => (Roles::of(&[RegistryAdministrator, GcIssuer]), Roles::NONE),
            Self::Trade(_) => (Roles::NONE, Roles::of(&[TradingUser, ProductionUser])),
            Self::ReadEverything => (Roles::of(&[RegistryAdministrator, GcIssuer, Auditor]), Roles::NONE),
        }
    }

    /// The account that the second set of roles must belong to.
    pub const fn account(self) -> Option<AccountId> {
        match self {
            Self::UpdateWhitelist(account)
            | Self::CreateDevice(account)
            | Self::ChangeDevice(account)
            | Self::Trade(account) => Some(account),
            Self::ManageUsers
            | Self::ManageAccounts
            | Self::ManageDevices
            | Self::ReadDevices
            | Self::SubmitReadings
            | Self::CorrectIssued
            | Self::Issue
            | Self::ReadEverything
            | Self::Operate => None,
        }
    }

    /// Whether somebody with `roles` has it; `is_member` says whether they belong to [`account`](Self::account).
    pub const fn granted(self, roles: Roles, is_member: bool) -> bool {
        let (anywhere, of_members) = self.roles();
        roles.any(anywhere) || (is_member && roles.any(of_members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_names_and_codes_go_both_ways() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
            assert!(Roles::of(&[role]).contains(role));
        }
        let all = Roles::of(&Role::ALL);
        assert_eq!(Roles::from_code(all.code()), Some(all));
        assert_eq!(Roles::from_code(128), None);
        assert_eq!(Roles::from_code(-1), None);
        assert_eq!(Role::parse("Emperor"), None);
    }

    #[test]
    fn membership_counts_only_where_the_table_says_so() {
        let account = AccountId(7);
        let trader = Roles::of(&[Role::TradingUser]);
        let administrator = Roles::of(&[Role::RegistryAdministrator]);
        for (capability, roles, is_member, granted) in [
            (Capability::Trade(account), trader, true, true),
            (Capability::Trade(account), trader, false, false),
            (Capability::Trade(account), administrator, true, false),
            (Capability::Issue, administrator, false, true),
            (Capability::Issue, trader, true, false),
            (Capability::UpdateWhitelist(account), trader, true, true),
            (Capability::UpdateWhitelist(account), administrator, false, true),
            (Capability::CreateDevice(account), trader, true, false),
            (Capability::ReadEverything, Roles::of(&[Role::Auditor]), false, true),
            (Capability::ManageUsers, Roles::NONE, true, false),
        ] {
            assert_eq!(capability.granted(roles, is_member), granted, "{capability:?} {roles:?} {is_member}");
        }
    }
}
