//! What another registry's rows make of the state.

use super::{ACCOUNT_NAME, Change, METER_DATA_ID, PRIMARY_CONTACT, State};
use crate::action::Adopted;
use crate::{Bundle, BundleStatus};

impl State {
    /// Ids of all but bundles ascend, and the counter jumps; a bundle's id is one that no bundle has.
    pub(super) fn adopt(&mut self, change: &Change, adopted: &Adopted) {
        match adopted {
            Adopted::User(user) => {
                assert!(user.id >= self.next.user, "adopted users ascend");
                self.next.user = user.id.next();
                self.taken.insert((PRIMARY_CONTACT, user.primary_contact.clone()));
                self.users.insert(user.id, user.clone());
            }
            Adopted::Account(account) => {
                assert!(account.id >= self.next.account, "adopted accounts ascend");
                self.next.account = account.id.next();
                self.taken.insert((ACCOUNT_NAME, account.name.clone()));
                self.accounts.insert(account.id, account.clone());
            }
            Adopted::Device(device) => {
                assert!(device.id >= self.next.device, "adopted devices ascend");
                self.next.device = device.id.next();
                if let Some(meter) = &device.description.meter_data_id {
                    self.taken.insert((METER_DATA_ID, meter.clone()));
                }
                self.devices.insert(device.id, device.clone());
            }
            Adopted::Metadata(metadata) => {
                assert!(metadata.id >= self.next.metadata, "adopted metadata ascend");
                self.next.metadata = metadata.id.next();
                self.metadata.insert(metadata.id, metadata.clone());
            }
            Adopted::Bundle(bundle) => return self.adopt_bundle(bundle),
        }
        self.written.others.push(change.clone());
    }

    fn adopt_bundle(&mut self, bundle: &Bundle) {
        // those made in this batch have serial ids from the first; an id behind them would be taken for one of theirs
        assert!(self.written.bundles.is_empty(), "no bundles are made before others are adopted");
        assert!(self.bundles.insert(bundle.id, bundle.clone()).is_none(), "an adopted bundle's id is free");
        self.next.bundle = self.next.bundle.max(bundle.id.next());
        let (start, quantity) = (bundle.production.start(), bundle.range.quantity());
        if bundle.parent_id.is_none() {
            let device = self.devices.get_mut(&bundle.device_id).expect("an adopted bundle's device was loaded");
            assert!(bundle.range.first() >= device.next_certificate, "certificate ids ascend per device");
            device.next_certificate = bundle.range.last().checked_add(1).expect("certificate ids fit 64 bits");
            self.written.changed_devices.insert(device.id);
            if let Some(current) = self.readings.get_mut(&(bundle.device_id, start)) {
                current.has_bundles = true;
            }
        }
        let place = self.places.get_mut(&(start, bundle.device_id)).expect("an adopted bundle's interval was loaded");
        if bundle.status.is_live() {
            place.live = place.live.checked_add(quantity).expect("live energy fits 64 bits");
        } else if bundle.status == BundleStatus::Withdrawn {
            place.held = place.held.checked_add(quantity).expect("held energy fits 64 bits");
        }
        self.written.adopted_bundles.push(bundle.clone());
    }
}
