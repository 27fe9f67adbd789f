//! What came into an account from others, and where what an action moved was made.

use super::{ActionView, AnyAction, Extent, page};
use crate::certificate::BundleView;
use crate::sight::Sight;
use crate::{Caller, Error, Paging, Registry};
use domain::{AccountId, ActionKind, BundleId, EventNumber};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashSet};
use store::action::{Filter, Of};

/// When and by what bundles were produced. It is stated at issue and never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// From the start of the first interval to the end of the last.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The names of the devices, each once; of what was discharged, the storage device.
    pub devices: BTreeSet<String>,
    pub technologies: BTreeSet<String>,
    /// The names of the devices that made what storage devices discharged, each once.
    pub stored_from: BTreeSet<String>,
}

impl Origin {
    /// That of some bundles; `None` of none.
    pub fn of<'v>(views: impl IntoIterator<Item = &'v BundleView>) -> Option<Self> {
        let mut origin: Option<Self> = None;
        for view in views {
            let (start, end) = (view.bundle.production.start(), view.bundle.production.end());
            let none = BTreeSet::new;
            let origin = origin.get_or_insert_with(|| Self {
                from: start,
                to: end,
                devices: none(),
                technologies: none(),
                stored_from: none(),
            });
            origin.from = origin.from.min(start);
            origin.to = origin.to.max(end);
            let device = &view.attributes.device;
            let name = view.device_name();
            if !origin.devices.contains(name) {
                origin.devices.insert(name.to_owned());
            }
            if let Some(made_by) = view.stored_from() {
                origin.stored_from.insert(made_by.to_owned());
            }
            if !origin.technologies.contains(&device.technology_type) {
                origin.technologies.insert(device.technology_type.clone());
            }
        }
        origin
    }
}

impl Registry {
    /// The transfers that came into an account from `since` on, the newest first, `most` of them at most. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read.
    pub fn received(
        &self,
        caller: &Caller,
        account: AccountId,
        since: Timestamp,
        most: usize,
        fresh: Option<EventNumber>,
    ) -> Result<Vec<ActionView>, Error> {
        let paging = Paging { limit: most, after: None };
        self.of_account(caller, account, fresh, |connection| {
            connection.snapshot(|tx| {
                let sight = Sight::of(tx, caller)?;
                let from = Some(store::action::first_at(tx, since)?);
                let filter = Filter { source: None, kind: Some(ActionKind::Transfer), actor: None, from, before: None };
                let rows = store::action::find(tx, Of::Other(account), &filter, paging.rows())?;
                let found = page(tx, &sight, rows, Vec::new(), paging, Extent::Whole)?.entries.into_iter();
                Ok(found
                    .filter_map(|entry| match entry {
                        AnyAction::Accepted(action) => Some(action),
                        AnyAction::Rejected(_) => None,
                    })
                    .collect())
            })
        })
    }

    /// Where the bundles that an action made or changed are from. Who may see the action may see this. Blocks.
    ///
    /// # Errors
    /// [`Error::Internal`] and its like only.
    pub fn origin(&self, action: &ActionView, fresh: Option<EventNumber>) -> Result<Option<Origin>, Error> {
        let now = self.now();
        // Parts of a bundle are from where it is from.
        let all: HashSet<BundleId> = action.results.iter().map(|result| result.bundle_id).collect();
        let whole = action.results.iter().filter(|result| result.parent_id.is_none_or(|parent| !all.contains(&parent)));
        let ids: Vec<i64> = whole.map(|result| result.bundle_id.0).collect();
        self.read(fresh, |connection| {
            let bundles = store::bundle::by_ids(connection, &ids)?;
            Ok(Origin::of(&self.bundle_views(connection, bundles, now)?))
        })
    }
}
