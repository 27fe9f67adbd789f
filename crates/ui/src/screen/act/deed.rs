//! What may be done to a selection of bundles, and by whom. The rules are the API's; here are their words.

use crate::visitor::Visitor;
use domain::bundle::BundleStep;
use domain::{AccountId, BundleStatus, Capability};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::screen) enum Deed {
    Transfer,
    Cancel,
    Reserve,
    Claim,
    Lock,
    Unlock,
    Withdraw,
}

impl Deed {
    pub(in crate::screen) const ALL: [Self; 7] =
        [Self::Transfer, Self::Cancel, Self::Reserve, Self::Claim, Self::Lock, Self::Unlock, Self::Withdraw];

    /// As the API's addresses call it.
    pub(in crate::screen) const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Cancel => "cancel",
            Self::Reserve => "reserve",
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Withdraw => "withdraw",
        }
    }

    pub(in crate::screen) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.name() == name)
    }

    pub(in crate::screen) const fn word(self) -> &'static str {
        match self {
            Self::Transfer => "Transfer",
            Self::Cancel => "Cancel",
            Self::Reserve => "Reserve for export",
            Self::Claim => "Claim",
            Self::Lock => "Lock",
            Self::Unlock => "Unlock",
            Self::Withdraw => "Withdraw",
        }
    }

    pub(in crate::screen) fn heading(self) -> String {
        match self {
            Self::Reserve => "Reserve certificates for export".to_owned(),
            Self::Transfer | Self::Cancel | Self::Claim | Self::Lock | Self::Unlock | Self::Withdraw => {
                format!("{} certificates", self.word())
            }
        }
    }

    /// What has become of a bundle then.
    pub(in crate::screen) const fn done(self) -> &'static str {
        match self {
            Self::Transfer => "transferred",
            Self::Cancel => "cancelled",
            Self::Reserve => "reserved",
            Self::Claim => "claimed",
            Self::Lock => "locked",
            Self::Unlock => "unlocked",
            Self::Withdraw => "withdrawn",
        }
    }

    /// What it means.
    pub(in crate::screen) const fn about(self) -> &'static str {
        match self {
            Self::Transfer => "The certificates move to another account, which may use them or send them on.",
            Self::Cancel => "The certificates are used up for one beneficiary, once and for ever.",
            Self::Reserve => {
                "The certificates leave for another registry, and cannot be traded or cancelled here again. There is no way back."
            }
            Self::Claim => "States that the cancelled certificates covered one's own consumption.",
            Self::Lock => "The certificates are held fast until they are unlocked.",
            Self::Unlock => "Locked certificates become active again.",
            Self::Withdraw => {
                "Takes back what should not have been issued. It is not issued again until the reading is released."
            }
        }
    }

    /// Whether the certificates can never be used again afterwards.
    pub(in crate::screen) const fn is_final(self) -> bool {
        matches!(self, Self::Cancel | Self::Reserve | Self::Withdraw)
    }

    const fn capability(self, account: AccountId) -> Capability {
        match self {
            Self::Transfer | Self::Cancel | Self::Reserve | Self::Claim => Capability::Trade(account),
            Self::Lock | Self::Unlock | Self::Withdraw => Capability::Issue,
        }
    }

    pub(in crate::screen) fn is_for(self, visitor: &Visitor, account: AccountId) -> bool {
        visitor.may(self.capability(account))
    }

    pub(in crate::screen) const fn needs(self) -> &'static str {
        match self {
            Self::Transfer | Self::Cancel | Self::Reserve => "a Trading or Production User of the account",
            Self::Claim => "a Trading or Production User of the beneficiary's account",
            Self::Lock | Self::Unlock | Self::Withdraw => "the role Registry Administrator or GC Issuer",
        }
    }

    /// Whether it may be done to bundles in this state.
    pub(in crate::screen) fn leads_from(self, status: BundleStatus) -> bool {
        self.steps().iter().any(|step| step.leads_from(status).is_some())
    }

    /// The states in which it may be done, by name.
    pub(in crate::screen) fn states(self) -> String {
        let states: Vec<&str> = self.steps().iter().flat_map(|step| step.starts()).map(BundleStatus::name).collect();
        states.join(", ")
    }

    const fn steps(self) -> &'static [BundleStep] {
        match self {
            Self::Transfer => &[BundleStep::Transfer],
            Self::Cancel => &[BundleStep::Cancel],
            Self::Reserve => &[BundleStep::Reserve],
            Self::Claim => &[BundleStep::Claim],
            Self::Lock => &[BundleStep::Lock],
            Self::Unlock => &[BundleStep::Unlock],
            Self::Withdraw => &[BundleStep::Withdraw, BundleStep::WithdrawFailedExport],
        }
    }
}
