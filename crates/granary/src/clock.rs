//! The one place where the time of day comes from; everything below is given it.

use app::Clock;
use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "the program is what gives the time to everything else")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn system() -> Clock {
    Clock::new(now)
}
