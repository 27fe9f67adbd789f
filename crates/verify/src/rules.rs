//! What may happen, as tables of codes: which state follows which, which action makes which events, who may take it.
//!
//! Written from the registry's contract, not from its code. Invariant: what no line allows is not allowed.

pub(crate) const CREATE: i64 = 1;
pub(crate) const UPDATE: i64 = 2;
pub(crate) const DELETE: i64 = 3;

pub(crate) mod entity {
    pub(crate) const USER: i64 = 1;
    pub(crate) const ACCOUNT: i64 = 2;
    pub(crate) const DEVICE: i64 = 3;
    pub(crate) const MEASUREMENT: i64 = 4;
    pub(crate) const BUNDLE: i64 = 5;
    pub(crate) const METADATA: i64 = 6;
    pub(crate) const ORGANISATION: i64 = 7;
    pub(crate) const ATTRIBUTES: i64 = 8;
    pub(crate) const RECURRING_ORDER: i64 = 9;
    pub(crate) const SCR: i64 = 10;
    pub(crate) const SDR: i64 = 11;
    pub(crate) const DRAW: i64 = 12;
}

pub(crate) mod status {
    pub(crate) const ACTIVE: i64 = 1;
    pub(crate) const CANCELLED: i64 = 2;
    pub(crate) const CLAIMED: i64 = 3;
    pub(crate) const EXPIRED: i64 = 4;
    pub(crate) const WITHDRAWN: i64 = 5;
    pub(crate) const LOCKED: i64 = 6;
    pub(crate) const RESERVED: i64 = 7;
    pub(crate) const SPLIT: i64 = 8;

    pub(crate) fn name(code: i64) -> &'static str {
        match code {
            ACTIVE => "Active",
            CANCELLED => "Cancelled",
            CLAIMED => "Claimed",
            EXPIRED => "Expired",
            WITHDRAWN => "Withdrawn",
            LOCKED => "Locked",
            RESERVED => "Reserved",
            SPLIT => "Bundle Split",
            _ => "an unknown status",
        }
    }

    /// Whether its watt-hours count.
    pub(crate) fn is_live(code: i64) -> bool {
        code != WITHDRAWN && code != SPLIT
    }
}

pub(crate) mod kind {
    pub(crate) const ISSUE: i64 = 9;
    pub(crate) const TRANSFER: i64 = 10;
    pub(crate) const CANCEL: i64 = 11;
    pub(crate) const CLAIM: i64 = 12;
    pub(crate) const RESERVE: i64 = 13;
    pub(crate) const LOCK: i64 = 14;
    pub(crate) const UNLOCK: i64 = 15;
    pub(crate) const WITHDRAW: i64 = 16;
    pub(crate) const SUBMIT_READINGS: i64 = 8;
    /// Anybody may, of themselves.
    pub(crate) const UPDATE_USER: i64 = 17;
    pub(crate) const UPDATE_DEVICE: i64 = 24;
    pub(crate) const UPDATE_MEASUREMENT: i64 = 26;
    pub(crate) const DELETE_MEASUREMENT: i64 = 27;
    pub(crate) const RELEASE_HOLD: i64 = 28;
    /// The issuer makes one bundle by stating it.
    pub(crate) const CREATE_BUNDLE: i64 = 29;
    /// The issuer's correction of account or state.
    pub(crate) const UPDATE_MUTABLES: i64 = 30;
    /// A charge of storage is recorded: it may split what backs it off what was cancelled.
    pub(crate) const CREATE_SCR: i64 = 40;
    pub(crate) const CREATE_SDR: i64 = 41;
    pub(crate) const WITHDRAW_SCR: i64 = 42;
    pub(crate) const WITHDRAW_SDR: i64 = 43;
    /// Certificates are issued on a discharge.
    pub(crate) const ISSUE_SDGC: i64 = 44;
    /// Rows of a demonstration registry are adopted, with their ids and in their states.
    pub(crate) const IMPORT_SEED: i64 = 34;
    pub(crate) const END_ORDER: i64 = 33;
    pub(crate) const PAUSE_ORDER: i64 = 36;
    pub(crate) const RESUME_ORDER: i64 = 37;
    /// A run of an order that was refused; one that was not is a transfer or a cancellation.
    pub(crate) const RUN_ORDER: i64 = 38;
    /// The registry's own, once a bundle's time has come.
    pub(crate) const EXPIRE: i64 = 35;
}

/// Whether a bundle may go from one state to another at all. Reserved, Claimed, Expired and Cancelled never become Active.
pub(crate) fn may_follow(from: i64, to: i64) -> bool {
    use status::{ACTIVE, CANCELLED, CLAIMED, EXPIRED, LOCKED, RESERVED, SPLIT, WITHDRAWN};
    match to {
        CANCELLED | RESERVED | LOCKED => from == ACTIVE,
        CLAIMED => from == CANCELLED,
        ACTIVE => from == LOCKED,
        EXPIRED => from == ACTIVE || from == LOCKED,
        WITHDRAWN | SPLIT => matches!(from, ACTIVE | CANCELLED | CLAIMED | EXPIRED | LOCKED | RESERVED),
        _ => false,
    }
}

/// Whether an action of this kind takes a bundle from one state to another that may follow it.
pub(crate) fn leads(action: i64, from: i64, to: i64) -> bool {
    use status::{ACTIVE, CANCELLED, CLAIMED, EXPIRED, LOCKED, RESERVED, WITHDRAWN};
    match action {
        kind::CANCEL => to == CANCELLED,
        kind::CLAIM => to == CLAIMED,
        kind::RESERVE => to == RESERVED,
        kind::LOCK => to == LOCKED,
        kind::UNLOCK => to == ACTIVE,
        kind::WITHDRAW => to == WITHDRAWN,
        kind::EXPIRE => to == EXPIRED,
        // only what nobody has used
        kind::UPDATE_MEASUREMENT => to == WITHDRAWN && matches!(from, ACTIVE | LOCKED | EXPIRED),
        kind::UPDATE_MUTABLES => {
            matches!(from, ACTIVE | LOCKED) && matches!(to, ACTIVE | CANCELLED | LOCKED | RESERVED | WITHDRAWN)
        }
        _ => false,
    }
}

/// Whether an action of this kind moves a bundle in this state to another account.
pub(crate) fn moves_from(action: i64, from: i64) -> bool {
    from == status::ACTIVE || (action == kind::UPDATE_MUTABLES && from == status::LOCKED)
}

/// Whether an update of a reading is one that an action makes: that it was superseded, or that what was held on it was
/// released.
pub(crate) fn updates_reading(action: i64, is_superseded: bool, is_released: bool) -> bool {
    match action {
        kind::SUBMIT_READINGS | kind::IMPORT_SEED | kind::ISSUE => is_superseded && !is_released,
        kind::UPDATE_MEASUREMENT => is_superseded != is_released,
        kind::RELEASE_HOLD => is_released && !is_superseded,
        _ => false,
    }
}

/// Whether an action makes readings from this source: an issue makes nothing but sums of hours, and a correction also those.
pub(crate) fn states_readings(action: i64, source: i64) -> bool {
    match action {
        kind::ISSUE => source == SUMMED,
        kind::UPDATE_MEASUREMENT => true,
        _ => source != SUMMED,
    }
}

/// Where a reading says that it is from which the registry added up.
pub(crate) const SUMMED: i64 = 4;

/// Whether a bundle that has expired cannot go this way. `moved` says that it changes its account.
pub(crate) fn needs_unexpired(from: i64, to: i64, moved: bool) -> bool {
    use status::{ACTIVE, CANCELLED, LOCKED, RESERVED};
    moved || matches!((from, to), (ACTIVE, CANCELLED | RESERVED | LOCKED) | (LOCKED, ACTIVE))
}

fn issues(action: i64) -> bool {
    matches!(action, kind::ISSUE | kind::CREATE_BUNDLE)
}

/// Whether an action of a kind makes events of this entity and type. `is_child` says that a bundle has a parent.
pub(crate) fn makes(action: i64, what: i64, event_type: i64, is_child: bool) -> bool {
    use entity::{
        ACCOUNT, ATTRIBUTES, BUNDLE, DEVICE, DRAW, MEASUREMENT, METADATA, ORGANISATION, RECURRING_ORDER, SCR, SDR, USER,
    };
    if action == kind::IMPORT_SEED {
        return matches!(
            (what, event_type),
            (USER | ACCOUNT | MEASUREMENT, CREATE | UPDATE) | (DEVICE | METADATA | ATTRIBUTES | BUNDLE, CREATE)
        );
    }
    match (what, event_type) {
        (USER, CREATE) => action == 1,
        (ORGANISATION, CREATE) => action == 2,
        (ACCOUNT, CREATE) => action == 3,
        (USER, UPDATE) => matches!(action, 3 | 17 | 18 | 22),
        (USER, DELETE) => action == 19,
        (ORGANISATION, UPDATE) => action == 20,
        (ORGANISATION, DELETE) => action == 21,
        (ACCOUNT, UPDATE) => matches!(action, 4 | 22),
        (ACCOUNT, DELETE) => action == 23,
        (DEVICE, CREATE) => action == 5,
        (DEVICE, UPDATE) => matches!(action, 6 | kind::UPDATE_DEVICE),
        (DEVICE, DELETE) => action == 25,
        (METADATA, CREATE) => action == 7,
        (MEASUREMENT, CREATE) => {
            matches!(action, kind::SUBMIT_READINGS | kind::UPDATE_MEASUREMENT | kind::CREATE_BUNDLE | kind::ISSUE)
        }
        (MEASUREMENT, UPDATE) => {
            matches!(action, kind::SUBMIT_READINGS | kind::UPDATE_MEASUREMENT | kind::RELEASE_HOLD | kind::ISSUE)
        }
        (MEASUREMENT, DELETE) => action == kind::DELETE_MEASUREMENT,
        (RECURRING_ORDER, CREATE) => action == 31 || action == 32,
        (RECURRING_ORDER, UPDATE) => matches!(
            action,
            kind::END_ORDER | kind::PAUSE_ORDER | kind::RESUME_ORDER | kind::RUN_ORDER | kind::TRANSFER | kind::CANCEL
        ),
        (SCR, CREATE) => action == kind::CREATE_SCR,
        (SDR | DRAW, CREATE) => action == kind::CREATE_SDR,
        (SCR, DELETE) => action == kind::WITHDRAW_SCR,
        (SDR, DELETE) => action == kind::WITHDRAW_SDR,
        (ATTRIBUTES, CREATE) => issues(action) || action == kind::CREATE_SDR,
        (BUNDLE, CREATE) if !is_child => issues(action) || action == kind::ISSUE_SDGC,
        // whole bundles only
        (BUNDLE, UPDATE) if action == kind::EXPIRE => true,
        (BUNDLE, CREATE | UPDATE) => {
            (kind::TRANSFER..=kind::WITHDRAW).contains(&action)
                || matches!(action, kind::UPDATE_MEASUREMENT | kind::UPDATE_MUTABLES | kind::CREATE_SCR)
        }
        _ => false,
    }
}

mod role {
    pub(super) const ADMINISTRATOR: i64 = 1;
    pub(super) const ISSUER: i64 = 2;
    pub(super) const REGISTRAR: i64 = 4;
    pub(super) const METERING: i64 = 8;
    pub(super) const TRADING: i64 = 16;
    pub(super) const PRODUCTION: i64 = 32;
}

/// The role of those who administer the registry.
pub(crate) const ADMINISTRATORS: i64 = role::ADMINISTRATOR;

/// The roles of those who may trade for an account that they belong to.
pub(crate) const TRADERS: i64 = role::TRADING | role::PRODUCTION;

/// The roles of which a user needs one to take an action of this kind.
pub(crate) fn roles_for(action: i64) -> i64 {
    use role::{ADMINISTRATOR, ISSUER, METERING, PRODUCTION, REGISTRAR, TRADING};
    match action {
        1..=3 | 17..=23 => ADMINISTRATOR,
        4 => ADMINISTRATOR | TRADING | PRODUCTION,
        5 | kind::UPDATE_DEVICE => ADMINISTRATOR | REGISTRAR | PRODUCTION,
        6 | 25 => ADMINISTRATOR | REGISTRAR,
        kind::SUBMIT_READINGS | kind::DELETE_MEASUREMENT => ADMINISTRATOR | METERING | PRODUCTION,
        kind::UPDATE_MEASUREMENT => ADMINISTRATOR | ISSUER | METERING | PRODUCTION,
        7
        | kind::ISSUE
        | kind::LOCK..=kind::WITHDRAW
        | kind::RELEASE_HOLD
        | kind::CREATE_BUNDLE
        | kind::UPDATE_MUTABLES
        | kind::CREATE_SCR..=kind::ISSUE_SDGC => ADMINISTRATOR | ISSUER,
        kind::TRANSFER..=kind::RESERVE | 31..=33 | kind::PAUSE_ORDER | kind::RESUME_ORDER => TRADERS,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_locked_bundle_becomes_active_and_nothing_leaves_a_final_state() {
        for from in 1..=8 {
            assert_eq!(may_follow(from, status::ACTIVE), from == status::LOCKED, "{}", status::name(from));
            for to in 1..=8 {
                let is_final = matches!(from, status::WITHDRAWN | status::SPLIT);
                assert!(!(is_final && may_follow(from, to)), "{} to {}", status::name(from), status::name(to));
            }
        }
    }

    #[test]
    fn a_correction_starts_from_active_and_locked_alone() {
        for from in 1..=8 {
            let is_apt = matches!(from, status::ACTIVE | status::LOCKED);
            assert_eq!(moves_from(kind::UPDATE_MUTABLES, from), is_apt, "{}", status::name(from));
            assert_eq!(moves_from(kind::TRANSFER, from), from == status::ACTIVE, "{}", status::name(from));
            for to in 1..=8 {
                let leads = leads(kind::UPDATE_MUTABLES, from, to);
                assert!(!leads || is_apt, "{} to {}", status::name(from), status::name(to));
            }
        }
        assert!(!leads(kind::UPDATE_MUTABLES, status::ACTIVE, status::CLAIMED));
    }

    #[test]
    fn only_the_registry_itself_makes_bundles_expired_and_makes_nothing_else_of_them() {
        for action in 0..64 {
            assert_eq!(leads(action, status::ACTIVE, status::EXPIRED), action == kind::EXPIRE, "{action}");
        }
        assert_eq!(roles_for(kind::EXPIRE), 0);
        assert!(!makes(kind::EXPIRE, entity::BUNDLE, CREATE, true));
        for (from, may) in [(status::ACTIVE, true), (status::LOCKED, true), (status::RESERVED, false)] {
            assert_eq!(may_follow(from, status::EXPIRED), may, "{}", status::name(from));
        }
    }

    #[test]
    fn only_issues_and_imports_make_bundles_that_have_no_parent() {
        for action in 0..64 {
            let makes_some = [kind::ISSUE, kind::CREATE_BUNDLE, kind::IMPORT_SEED, kind::ISSUE_SDGC].contains(&action);
            assert_eq!(makes(action, entity::BUNDLE, CREATE, false), makes_some, "{action}");
            assert!(!makes(action, entity::ATTRIBUTES, UPDATE, false), "{action}");
        }
    }

    #[test]
    fn an_import_adopts_and_links_but_changes_no_bundle_and_is_the_operators_alone() {
        let makes = |what, event_type| makes(kind::IMPORT_SEED, what, event_type, true);
        assert!(makes(entity::BUNDLE, CREATE) && makes(entity::DEVICE, CREATE) && makes(entity::USER, UPDATE));
        assert!(!makes(entity::BUNDLE, UPDATE) && !makes(entity::DEVICE, UPDATE) && !makes(entity::BUNDLE, DELETE));
        assert_eq!(roles_for(kind::IMPORT_SEED), 0);
    }
}
