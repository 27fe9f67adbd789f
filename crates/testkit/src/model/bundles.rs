//! What is done to bundles, watt-hour by watt-hour.

use super::{Beneficiary, Birth, Certificate, Decided, Decision, Model, Verdict};
use domain::action::{BundleAction, BundleResult, Deed, Portion};
use domain::{AccountId, Actor, BundleId, BundleStatus, CertificateRange, DeviceId, WattHours};
use jiff::Timestamp;

const STORAGE: &str = "storage";

/// A bundle as it is now.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub id: BundleId,
    pub device: DeviceId,
    pub first: u64,
    pub last: u64,
    /// What each of its certificates is.
    pub certificate: Certificate,
}

impl Held {
    fn quantity(&self) -> u64 {
        self.last - self.first + 1
    }
}

impl Model {
    pub(super) fn move_bundles(&mut self, now: Timestamp, actor: Actor, action: &BundleAction) -> Decision {
        self.may_begin(actor, action)?;
        let held = self.selection(now, action)?;
        if matches!(action.deed, Deed::Claim) {
            self.may_claim(actor, action, &held)?;
        }
        let is_withdrawal = matches!(action.deed, Deed::Withdraw { .. });
        if is_withdrawal && held.iter().any(|bundle| self.is_allocated(bundle.id)) {
            return Err("bundle_allocated");
        }
        let parts = portions(&held, action.portion)?;
        let (mut result, mut total) = (Vec::new(), 0);
        for (bundle, part) in held.iter().zip(parts).filter(|(_, part)| *part > 0) {
            total += part;
            let fate = self.fate(action, &bundle.certificate);
            if part == bundle.quantity() {
                self.rewrite(bundle, bundle.first, bundle.last, &fate);
                result.push(self.result_of(bundle.id, bundle.first, bundle.last, &fate));
                continue;
            }
            let cut = bundle.first + part;
            self.births[place_of(bundle.id)].divided = Some((bundle.first, bundle.last, bundle.certificate.clone()));
            let parent = Certificate { state: BundleStatus::Split, ..bundle.certificate.clone() };
            result.push(self.result_of(bundle.id, bundle.first, bundle.last, &parent));
            for (first, last, certificate) in
                [(bundle.first, cut - 1, fate), (cut, bundle.last, bundle.certificate.clone())]
            {
                let child = Certificate { bundle: self.next_bundle(), ..certificate };
                let birth = Birth { parent: Some(bundle.id), divided: None, ..self.birth(bundle.id).clone() };
                self.births.push(birth);
                self.rewrite(bundle, first, last, &child);
                result.push(self.result_of(child.bundle, first, last, &child));
            }
        }
        Ok(Decided { told: Verdict::Bundles { result, total: WattHours(total) }, has_changed: true })
    }

    /// What is checked before the bundles are looked at.
    fn may_begin(&self, actor: Actor, action: &BundleAction) -> Result<(), &'static str> {
        let source = action.source;
        let holder = || {
            if !self.trades(actor, source) {
                return Err("forbidden");
            }
            if self.accounts.contains_key(&source) { Ok(()) } else { Err("account_missing") }
        };
        match &action.deed {
            Deed::Transfer { target } => {
                holder()?;
                if *target == source {
                    return Err("target_is_source");
                }
                let is_welcome = self.accounts.contains_key(target) && self.whitelist.contains(&(*target, source));
                if is_welcome { Ok(()) } else { Err("not_whitelisted") }
            }
            Deed::Cancel { beneficiary_account, .. } => {
                holder()?;
                let is_known = beneficiary_account.is_none_or(|account| self.accounts.contains_key(&account));
                if is_known { Ok(()) } else { Err("account_missing") }
            }
            Deed::Reserve { .. } => holder(),
            Deed::Claim => {
                let of_beneficiary = |id: &BundleId| {
                    let beneficiary = self.held(*id).and_then(|bundle| bundle.certificate.beneficiary);
                    beneficiary.and_then(|b| b.account).is_some_and(|account| self.trades(actor, account))
                };
                let is_visible = self.trades(actor, source) || action.bundles.iter().all(of_beneficiary);
                if is_visible { Ok(()) } else { Err("bundle_missing") }
            }
            Deed::UpdateMutables { account, status, .. } => {
                if !self.issues(actor) {
                    return Err("forbidden");
                }
                if account.is_none() && status.is_none() {
                    return Err("nothing_stated");
                }
                if matches!(status, Some(BundleStatus::Claimed | BundleStatus::Expired | BundleStatus::Split)) {
                    return Err("not_correctable");
                }
                if account.is_some_and(|account| !self.accounts.contains_key(&account)) {
                    return Err("account_missing");
                }
                if *account == Some(source) && status.is_none() {
                    return Err("target_is_source");
                }
                let is_cancelled = *status == Some(BundleStatus::Cancelled);
                let holder = account.unwrap_or(source);
                if is_cancelled && !self.accounts.contains_key(&holder) { Err("account_missing") } else { Ok(()) }
            }
            Deed::Lock { reason } | Deed::Unlock { reason } | Deed::Withdraw { reason, .. } => {
                if !self.issues(actor) {
                    return Err("forbidden");
                }
                let is_needed = !matches!(action.deed, Deed::Withdraw { export_failed: false, .. });
                if is_needed && reason.trim().is_empty() { Err("reason_missing") } else { Ok(()) }
            }
        }
    }

    /// The bundles that are named, oldest production first.
    fn selection(&self, now: Timestamp, action: &BundleAction) -> Result<Vec<Held>, &'static str> {
        if action.bundles.is_empty() {
            return Err("no_bundles");
        }
        let mut selection: Vec<Held> = Vec::new();
        for (place, id) in action.bundles.iter().enumerate() {
            if action.bundles[..place].contains(id) {
                return Err("bundle_repeated");
            }
            let bundle = self.held(*id).filter(|bundle| bundle.certificate.holder == action.source);
            selection.push(bundle.ok_or("bundle_missing")?);
        }
        for bundle in &selection {
            if !may_follow(action, self.state_of(bundle, now)) {
                return Err("wrong_state");
            }
        }
        selection.sort_by_key(|bundle| (self.birth(bundle.id).production.start(), bundle.id));
        Ok(selection)
    }

    /// What it counts as: a certificate expires at its instant, whether or not anybody says so.
    fn state_of(&self, bundle: &Held, now: Timestamp) -> BundleStatus {
        match bundle.certificate.state {
            BundleStatus::Active | BundleStatus::Locked if self.birth(bundle.id).expires_at <= now => {
                BundleStatus::Expired
            }
            state => state,
        }
    }

    fn may_claim(&self, actor: Actor, action: &BundleAction, held: &[Held]) -> Result<(), &'static str> {
        for bundle in held {
            let beneficiary = bundle.certificate.beneficiary.as_ref().expect("it was cancelled");
            if beneficiary.purpose.as_deref() == Some(STORAGE) {
                return Err("cancelled_for_storage");
            }
            if !self.trades(actor, beneficiary.account.unwrap_or(action.source)) {
                return Err("not_beneficiary");
            }
        }
        Ok(())
    }

    /// What a certificate becomes.
    fn fate(&self, action: &BundleAction, was: &Certificate) -> Certificate {
        let became = |state| Certificate { state, ..was.clone() };
        match &action.deed {
            Deed::Transfer { target } => Certificate { holder: *target, ..was.clone() },
            Deed::Cancel { beneficiary, beneficiary_account, purpose } => Certificate {
                beneficiary: Some(Beneficiary {
                    name: beneficiary.clone().unwrap_or_else(|| self.name_of(action.source)),
                    account: *beneficiary_account,
                    purpose: purpose.clone(),
                }),
                ..became(BundleStatus::Cancelled)
            },
            Deed::Claim => became(BundleStatus::Claimed),
            Deed::Reserve { .. } => became(BundleStatus::Reserved),
            Deed::Lock { .. } => became(BundleStatus::Locked),
            Deed::Unlock { .. } => became(BundleStatus::Active),
            Deed::Withdraw { .. } => Certificate { is_held: true, ..became(BundleStatus::Withdrawn) },
            Deed::UpdateMutables { account, status, .. } => {
                let holder = account.unwrap_or(was.holder);
                let state = status.unwrap_or(was.state);
                let beneficiary = (state == BundleStatus::Cancelled).then(|| Beneficiary {
                    name: self.name_of(holder),
                    account: None,
                    purpose: None,
                });
                let is_held = state == BundleStatus::Withdrawn;
                Certificate { holder, state, is_held, beneficiary, ..was.clone() }
            }
        }
    }

    fn name_of(&self, account: AccountId) -> String {
        self.accounts.get(&account).expect("the source is an account").clone()
    }

    pub(super) fn rewrite(&mut self, bundle: &Held, first: u64, last: u64, certificate: &Certificate) {
        let device = self.devices.get_mut(&bundle.device).expect("certificates have a device");
        for number in first..=last {
            device.certificates[place(number)] = certificate.clone();
        }
    }

    fn result_of(&self, id: BundleId, first: u64, last: u64, is: &Certificate) -> BundleResult {
        BundleResult {
            bundle_id: id,
            parent_id: self.birth(id).parent,
            range: CertificateRange::new(first, last).expect("a bundle is not empty"),
            status: is.state,
            account_id: is.holder,
        }
    }

    /// The bundle with this id, also one that was divided.
    pub(super) fn held(&self, id: BundleId) -> Option<Held> {
        let birth = self.find_birth(id)?;
        let device = birth.device;
        if let Some((first, last, was)) = &birth.divided {
            let certificate = Certificate { state: BundleStatus::Split, ..was.clone() };
            return Some(Held { id, device, first: *first, last: *last, certificate });
        }
        let all = &self.devices.get(&device)?.certificates;
        let first = all.iter().position(|certificate| certificate.bundle == id)?;
        let count = all[first..].iter().take_while(|certificate| certificate.bundle == id).count();
        assert!(all[first..first + count].iter().all(|c| *c == all[first]), "the certificates of a bundle are alike");
        let (first_number, count) = (number_at(first), number_at(count) - 1);
        Some(Held { id, device, first: first_number, last: first_number + count - 1, certificate: all[first].clone() })
    }
}

/// How much is taken of each bundle.
fn portions(held: &[Held], portion: Portion) -> Result<Vec<u64>, &'static str> {
    match portion {
        Portion::Whole => Ok(held.iter().map(Held::quantity).collect()),
        Portion::Quantity(WattHours(0)) => Err("quantity_zero"),
        Portion::Quantity(WattHours(asked)) => {
            let mut left = asked;
            let mut parts = Vec::new();
            for bundle in held {
                let part = bundle.quantity().min(left);
                parts.push(part);
                left -= part;
            }
            if left == 0 { Ok(parts) } else { Err("not_enough") }
        }
        Portion::Share(share) => {
            // The simulation's shares are whole hundredths.
            let text = share.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let hundredths: u64 = format!("{whole}{fraction:0<2}").parse().expect("a plain decimal");
            if hundredths == 0 || hundredths > 100 {
                return Err("share_out_of_range");
            }
            let parts: Vec<u64> = held.iter().map(|bundle| bundle.quantity() * hundredths / 100).collect();
            if parts.iter().any(|part| *part > 0) { Ok(parts) } else { Err("nothing_picked") }
        }
    }
}

/// In which states a deed may be done.
fn may_follow(action: &BundleAction, state: BundleStatus) -> bool {
    use BundleStatus::{Active, Cancelled, Claimed, Expired, Locked, Reserved, Split, Withdrawn};
    match &action.deed {
        Deed::Transfer { .. } | Deed::Cancel { .. } | Deed::Reserve { .. } | Deed::Lock { .. } => state == Active,
        Deed::Claim => state == Cancelled,
        Deed::Unlock { .. } => state == Locked,
        Deed::UpdateMutables { account, status, .. } => {
            let moves = account.is_some_and(|account| account != action.source);
            match status {
                None | Some(Withdrawn) => [Active, Locked].contains(&state),
                Some(Active) => state == Locked || (moves && state == Active),
                Some(Locked) => state == Active || (moves && state == Locked),
                Some(Cancelled | Reserved) => state == Active,
                Some(Claimed | Expired | Split) => false,
            }
        }
        Deed::Withdraw { export_failed: true, .. } => state == Reserved,
        Deed::Withdraw { export_failed: false, .. } => [Active, Locked, Cancelled, Claimed, Expired].contains(&state),
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number - 1).expect("few certificates")
}

fn place_of(bundle: BundleId) -> usize {
    usize::try_from(bundle.0 - 1).expect("few bundles")
}

fn number_at(place: usize) -> u64 {
    u64::try_from(place).expect("few certificates") + 1
}
