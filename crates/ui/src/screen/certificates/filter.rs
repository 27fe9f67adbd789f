//! What of an account's bundles is shown: the filter as it stands in the address.
//!
//! Days are days of UTC, and both ends of a period belong to it.

use super::sort::Sort;
use crate::form::{Fields, instant};
use crate::limits::{BUNDLES_PER_PAGE, SORTED_MAX};
use crate::words::{Fault, Refused};
use app::{BundleListing, Order, Period, Place};
use domain::{AccountId, BundleId, BundleStatus, DeviceId, EnergySource};
use jiff::{Timestamp, ToSpan as _, civil, tz::TimeZone};

/// The parameters that filter and order.
const NAMES: [&str; 8] = ["device", "source", "status", "from", "to", "issuance_id", "order", "sort"];
/// The name of the order that is not the usual one.
const OLDEST: &str = "oldest";

#[derive(Clone, Debug)]
pub(super) struct Filter {
    fields: Fields,
    pub account: AccountId,
    pub device: Option<DeviceId>,
    pub source: Option<EnergySource>,
    pub status: Option<BundleStatus>,
    pub period: Period,
    pub issuance_id: Option<String>,
    pub order: Order,
    /// By another column than that of production.
    pub sort: Option<Sort>,
    after: Option<Place>,
    /// Of what is sorted: the pages before this one.
    pages_before: usize,
    with_whole_sum: bool,
    /// The parameters that cannot be read, and what is wrong with them.
    pub faults: Vec<Fault>,
}

impl Filter {
    pub(super) fn of(account: i64, fields: Fields) -> Self {
        let mut faults = Vec::new();
        let mut fault = |name: &str, what: &str| faults.push(Fault::of(name, what));
        let text = |name: &str| fields.get(name);
        let device = text("device").and_then(|_| fields.number("device")).filter(|id| *id > 0).map(DeviceId);
        if device.is_none() && text("device").is_some() {
            fault("device", "Not the number of a device");
        }
        let source = text("source").and_then(EnergySource::parse);
        if source.is_none() && text("source").is_some() {
            fault("source", "Not an energy source");
        }
        let status = text("status").and_then(BundleStatus::parse);
        if status.is_none() && text("status").is_some() {
            fault("status", "Not a state of a bundle");
        }
        let start = text("from").and_then(|text| instant(text, false));
        if start.is_none() && text("from").is_some() {
            fault("from", "Not a date");
        }
        let end = text("to").and_then(|text| instant(text, true));
        if end.is_none() && text("to").is_some() {
            fault("to", "Not a date");
        }
        if start.zip(end).is_some_and(|(start, end)| end <= start) {
            fault("to", "Must not be before From");
        }
        let order = if text("order") == Some(OLDEST) { Order::OldestFirst } else { Order::NewestFirst };
        let sort = text("sort").and_then(Sort::parse);
        if sort.is_none() && text("sort").is_some() {
            fault("sort", "Not a column that can be sorted by");
        }
        let page = fields.number("page").and_then(|page| usize::try_from(page).ok()).filter(|_| sort.is_some());
        let pages_before = page.unwrap_or(1).clamp(1, SORTED_MAX) - 1;
        let issuance_id = text("issuance_id").map(str::to_owned);
        // What is sorted is read from the start.
        let after = text("after").filter(|_| sort.is_none()).and_then(place);
        let with_whole_sum = text("total") == Some("all");
        let (account, period) = (AccountId(account), Period { start, end });
        Self {
            fields,
            account,
            device,
            source,
            status,
            period,
            issuance_id,
            order,
            sort,
            after,
            pages_before,
            with_whole_sum,
            faults,
        }
    }

    pub(super) fn listing(&self) -> BundleListing {
        BundleListing {
            account: self.account,
            device: self.device,
            energy_source: self.source,
            period: self.period,
            status: self.status,
            issuance_id: self.issuance_id.clone(),
            order: self.order,
            after: self.after,
            limit: if self.sort.is_some() { SORTED_MAX } else { BUNDLES_PER_PAGE },
            with_whole_sum: self.with_whole_sum,
        }
    }

    /// As it was typed.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    pub(super) fn is_first_page(&self) -> bool {
        self.after.is_none() && self.pages_before == 0
    }

    pub(super) fn filters_anything(&self) -> bool {
        NAMES.iter().any(|name| !matches!(*name, "order" | "sort") && self.fields.get(name).is_some())
    }

    /// The address of the first page with some parameters changed; an empty value takes one away.
    pub(super) fn address(&self, changes: &[(&str, &str)]) -> String {
        let mut made = form_urlencoded::Serializer::new(String::new());
        let kept = NAMES.iter().filter(|name| changes.iter().all(|(changed, _)| changed != *name));
        made.extend_pairs(kept.filter_map(|name| Some((*name, self.fields.get(name)?))));
        made.extend_pairs(changes.iter().filter(|(_, value)| !value.is_empty()));
        let query = made.finish();
        let path = format!("/ui/account/{}/certificates", self.account.0);
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// The parameters alone.
    pub(super) fn query(&self) -> String {
        let address = self.address(&[]);
        address.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned())
    }

    /// What is wrong with the parameters.
    pub(super) fn refused(&self) -> Refused {
        Refused::of_fields("The filter cannot be read", self.faults.clone())
    }

    /// The next page in the order of production.
    pub(super) fn next(&self, next: Place) -> String {
        self.address(&[("sort", ""), ("after", &format!("{},{}", next.0.as_microsecond(), next.1.0))])
    }

    /// Of what is sorted: how many stand on the pages before this one.
    pub(super) const fn skipped(&self) -> usize {
        self.pages_before * BUNDLES_PER_PAGE
    }

    /// The next page of what is sorted.
    pub(super) fn next_sorted(&self) -> String {
        self.address(&[("page", &(self.pages_before + 2).to_string())])
    }

    /// The parameters of the API's export.
    pub(super) fn export(&self, format: &str) -> String {
        let mut made = form_urlencoded::Serializer::new(String::new());
        made.append_pair("source_id", &self.account.0.to_string()).append_pair("format", format);
        let pairs = [
            ("device_id", self.device.map(|id| id.0.to_string())),
            ("energy_source", self.source.map(|source| source.name().to_owned())),
            ("certificate_period_start", self.period.start.map(|at| at.to_string())),
            ("certificate_period_end", self.period.end.map(|at| at.to_string())),
            ("certificate_bundle_status", self.status.map(|status| status.name().to_owned())),
            ("issuance_id", self.issuance_id.clone()),
        ];
        made.extend_pairs(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))));
        made.finish()
    }
}

fn place(text: &str) -> Option<Place> {
    let (micros, id) = text.split_once(',')?;
    Some((Timestamp::from_microsecond(micros.parse().ok()?).ok()?, BundleId(id.parse().ok()?)))
}

/// A period by name.
pub(super) struct Preset {
    pub text: String,
    pub to: String,
    pub is_current: bool,
}

/// The days that people ask for most, seen from today.
pub(super) fn presets(filter: &Filter, now: Timestamp) -> Vec<Preset> {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let before = |days: i64| today.checked_sub(days.days()).unwrap_or(today);
    let preset = |text: String, from: civil::Date, to: civil::Date| {
        let (from, to) = (from.to_string(), to.to_string());
        let is_current = filter.text("from") == from && filter.text("to") == to;
        Preset { text, to: filter.address(&[("from", &from), ("to", &to)]), is_current }
    };
    let named = [
        preset("Yesterday".to_owned(), before(1), before(1)),
        preset("Last 7 days".to_owned(), before(7), before(1)),
        preset("Last 30 days".to_owned(), before(30), before(1)),
    ];
    let day = |days| preset(before(days).strftime("%a %-d %b").to_string(), before(days), before(days));
    named.into_iter().chain((2..=7).map(day)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str) -> Filter {
        Filter::of(7, Fields::of(query.as_bytes()))
    }

    #[test]
    fn both_days_of_a_period_belong_to_it() {
        let found = filter("from=2026-02-01&to=2026-02-01&source=wind&device=3");
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!((found.period.start, found.period.end), (at("2026-02-01T00:00:00Z"), at("2026-02-02T00:00:00Z")));
        assert_eq!((found.source, found.device), (Some(EnergySource::Wind), Some(DeviceId(3))));
        assert!(found.faults.is_empty());
        assert_eq!(filter("to=2026-02-01T05:00:00Z").period.end, at("2026-02-01T05:00:00Z"));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let found = filter("device=x&source=steam&status=lost&from=now&to=2026-02-30");
        let names: Vec<&str> = found.faults.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(names, ["device", "source", "status", "from", "to"]);
    }

    #[test]
    fn the_address_keeps_the_filter_and_begins_at_the_first_page() {
        let found = filter("status=Active&from=2026-02-01&after=1,2&x=1&order=oldest");
        assert_eq!(found.address(&[]), "/ui/account/7/certificates?status=Active&from=2026-02-01&order=oldest");
        assert_eq!(found.address(&[("from", ""), ("order", "")]), "/ui/account/7/certificates?status=Active");
        let place = (Timestamp::UNIX_EPOCH, BundleId(5));
        assert!(found.next(place).ends_with("&after=0%2C5"));
        assert_eq!(filter("after=0%2C5").after, Some(place));
        assert_eq!(
            filter("status=Bundle+Split&to=2026-02-01").export("csv"),
            "source_id=7&format=csv&certificate_period_end=2026-02-02T00%3A00%3A00Z&certificate_bundle_status=Bundle+Split"
        );
    }

    #[test]
    fn presets_are_days_of_utc() {
        let now = "2026-03-03T00:30:00Z".parse().unwrap();
        let found = presets(&filter("from=2026-03-02&to=2026-03-02"), now);
        assert!(found[0].is_current && found[0].to.ends_with("from=2026-03-02&to=2026-03-02"), "{}", found[0].to);
        assert!(found[1].to.ends_with("from=2026-02-24&to=2026-03-02"), "{}", found[1].to);
        assert_eq!(found[3].text, "Sun 1 Mar");
    }
}
