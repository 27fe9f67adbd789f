//! Bundles whose time has come become Expired: in bulk, in actions of bounded size, by the registry itself.
//!
//! Nothing waits for it, as each decision sees by itself that a bundle's time is over; the sweep makes rows and log say so.
//! Invariant: it can be stopped anywhere and done by several processes at once. Each action looks again at what it names,
//! and a mark moves on only after a walk that found nothing left (see `store::expiry`).

use crate::work::Beside;
use crate::{Answer, Error, Registry};
use domain::time::{INTERVAL_MAX, latest_expired, surely_expired};
use domain::{Actor, BundleId, Command, Outcome};
use jiff::{SignedDuration, Timestamp};
use store::expiry::Mark;

/// Bundles of one action: it holds the writer for a few hundredths of a second, as long as other work may wait.
pub(crate) const EXPIRED_TOGETHER_MAX: usize = 5_000;
/// Devices of one look.
const DEVICES_TOGETHER_MAX: i64 = 1_000;
/// What is due is looked up this many at a time; where there are more, a shorter stretch is looked at.
const LOOKED_UP_MAX: i64 = 50_000;
const STRETCH_MIN: SignedDuration = SignedDuration::from_hours(1);
/// A mark that is so close is left where it is: what is looked at again costs less than writing it.
const MARK_EVERY: SignedDuration = SignedDuration::from_hours(1);

impl Registry {
    /// Expires what is due, and says how many bundles that were. Blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and its like; what was done until then stays, and the next sweep goes on.
    pub fn expire_due(&self) -> Result<usize, Error> {
        let mut expired = 0;
        loop {
            let found = self.sweep()?;
            if found == 0 {
                return Ok(expired);
            }
            expired += found;
            tracing::info!(bundles = found, "bundles expired");
        }
    }

    /// One walk; a mark behind which it found nothing moves on.
    fn sweep(&self) -> Result<usize, Error> {
        let (recorded_at, marks) = self.read_primary(|connection| {
            connection.snapshot(|tx| Ok((store::head::read(tx)?.recorded_at, store::expiry::marks(tx)?)))
        })?;
        let now = self.now().max(recorded_at);
        let mut expired = 0;
        for mark in marks.into_iter().filter(|mark| mark.swept_until < now) {
            let found = self.sweep_lifetime(mark, now)?;
            expired += found;
            let until = now.min(recorded_at);
            if found == 0 && until.duration_since(mark.swept_until) >= MARK_EVERY {
                self.beside(Beside::MarkSwept(Mark { swept_until: until, ..mark }))?.wait()?;
            }
        }
        Ok(expired)
    }

    /// What was issued with one lifetime, from its mark on.
    fn sweep_lifetime(&self, mark: Mark, now: Timestamp) -> Result<usize, Error> {
        let (Some(first), Some(last)) = (surely_expired(mark.swept_until, mark.years), latest_expired(now, mark.years))
        else {
            return Ok(0);
        };
        // Production begins at most an interval before it ends.
        let from = first.checked_sub(INTERVAL_MAX).unwrap_or(first);
        let (mut expired, mut after) = (0, 0);
        loop {
            let devices = self.read_primary(|c| store::device::ids_after(c, after, DEVICES_TOGETHER_MAX))?;
            let Some(newest) = devices.last() else { return Ok(expired) };
            after = *newest;
            expired += self.sweep_devices(&devices, from, last, now)?;
        }
    }

    fn sweep_devices(&self, devices: &[i64], from: Timestamp, to: Timestamp, now: Timestamp) -> Result<usize, Error> {
        let (mut from, mut stretch, mut expired) = (from, to.duration_since(from), 0);
        while from < to {
            let until = from.checked_add(stretch).unwrap_or(to).min(to);
            let due = self.read_primary(|c| store::expiry::due(c, devices, (from, until), now, LOOKED_UP_MAX))?;
            let are_more = i64::try_from(due.len()) == Ok(LOOKED_UP_MAX);
            if are_more && stretch > STRETCH_MIN {
                stretch = (stretch / 2).max(STRETCH_MIN);
                continue;
            }
            for together in due.chunks(EXPIRED_TOGETHER_MAX) {
                expired += self.expire(together, now)?;
            }
            if !are_more {
                from = until;
            }
        }
        Ok(expired)
    }

    fn expire(&self, bundles: &[BundleId], until: Timestamp) -> Result<usize, Error> {
        let request = serde_json::json!({ "expired_until": until }).to_string();
        let work = self.act(Actor::Operator, Command::Expire(bundles.to_vec()), request, None);
        match self.queue_waiting(work)?.wait().map(Answer::outcome)? {
            Outcome::Expired(count) => Ok(count),
            other => unreachable!("expiring gave {other:?}"),
        }
    }
}
