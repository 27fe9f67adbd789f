//! The names of accounts, remembered for a moment: a cancellation without a beneficiary is for the account itself, and
//! looking its name up each time would cost more than the cancellation.
//!
//! Invariant: bounded, and no name is older than [`NAMES_TRUSTED`].

use crate::limits::{NAMES_MAX, NAMES_TRUSTED};
use crate::{App, Error};
use domain::AccountId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<AccountId, (String, Instant)>>);

impl Names {
    fn remembered(&self, id: AccountId) -> Option<String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&id).filter(|(_, at)| at.elapsed() < NAMES_TRUSTED).map(|(name, _)| name.clone())
    }

    fn remember(&self, id: AccountId, name: &str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(id, (name.to_owned(), Instant::now()));
    }
}

impl App {
    /// `None` for an account that does not exist.
    pub(crate) async fn account_name(&self, id: AccountId) -> Result<Option<String>, Error> {
        if let Some(name) = self.names.remembered(id) {
            return Ok(Some(name));
        }
        let name = self.blocking(move |registry| registry.account_name(id)).await?;
        if let Some(name) = &name {
            self.names.remember(id, name);
        }
        Ok(name)
    }
}
