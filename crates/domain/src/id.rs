//! Identifiers: serial per entity, from 1, assigned by the writer. A type for each, so that one is never taken for another.

use serde::{Deserialize, Serialize};

/// Declares one identifier type. A macro because these types differ in name only.
macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// The identifier that follows this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

id! {
    /// A person or program that signs in.
    UserId,
    /// A company or body that users and accounts belong to.
    OrganisationId,
    /// Where bundles are held.
    AccountId,
    /// A metered device: production, consumption or storage.
    DeviceId,
    /// One version of one meter reading.
    MeasurementId,
    /// A bundle of certificates.
    BundleId,
    /// Issuance metadata: what the issuing body states of every certificate issued under it.
    MetadataId,
    /// A snapshot of what a certificate says of its device, as it was at issue.
    AttributesId,
    /// One action: a command that was carried out.
    ActionId,
    /// An action that a rule refused; not of the ledger.
    RejectedActionId,
    /// A long piece of work that is cut into actions.
    JobId,
    /// A key with which a program calls on behalf of a user.
    ApiKeyId,
    /// Something to be done again and again.
    RecurringOrderId,
    /// A storage charge record.
    ScrId,
    /// A storage discharge record.
    SdrId,
    /// What one discharge record draws of one charge record.
    DrawId,
    /// An event's place in the log, from 1, without gaps.
    EventNumber,
}
