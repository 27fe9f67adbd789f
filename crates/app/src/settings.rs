//! What a registry is told when it is opened.

use domain::Rules;
use jiff::SignedDuration;
use store::Url;

#[derive(Clone, Debug)]
pub struct Settings {
    pub database: Url,
    /// A streaming replica of the database that answers reads.
    pub read_database: Option<Url>,
    pub rules: Rules,
    /// How long a token is good for.
    pub token_lifetime: SignedDuration,
    /// The longest period of a certificate query, in days.
    pub query_period_days_max: u16,
    /// Where British metered half-hours are asked for.
    pub elexon: source::Settings,
}
