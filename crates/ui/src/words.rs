//! What the API refuses, as pages say it: by the labels of forms and in plain words, with numbers that people can read.
//!
//! Every refusal that a page tells passes here, from an operation ([`Api`](crate::api::Api)) or from a read. The texts of the API stay as
//! they are for programs. Invariant: nothing is left out; what has no words here is told as the API tells it.

use crate::format;
use serde_json::{Map, Value};

/// What is wrong with one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// As the form and the API name it.
    pub name: String,
    /// What its field is called; empty if no field is.
    pub label: String,
    /// As a sentence without a full stop, to stand beside the field.
    pub what: String,
}

impl Fault {
    /// Of a field that says itself what it is called.
    pub(crate) fn of(name: &str, what: &str) -> Self {
        Self { name: name.to_owned(), label: label("", name).unwrap_or_default().to_owned(), what: what.to_owned() }
    }
}

/// Why something was not done, as a page tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub status: u16,
    pub title: String,
    /// As a sentence; empty where there is none.
    pub detail: String,
    pub faults: Vec<Fault>,
    /// The numbers of a problem.
    pub members: Map<String, Value>,
}

impl Refused {
    /// Of fields that a page judges itself.
    pub(crate) fn of_fields(title: &str, faults: Vec<Fault>) -> Self {
        Self { status: 422, title: title.to_owned(), faults, ..Self::default() }
    }

    /// What is wrong with one member.
    pub(crate) fn fault(&self, name: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.name == name).map(|fault| fault.what.as_str())
    }

    /// What an operation refused.
    pub(crate) fn told(operation: &str, refused: web::Refused) -> Self {
        let fault = |fault: web::RefusedFault| {
            let label = label(operation, &fault.name).unwrap_or_default().to_owned();
            Fault { what: rule(operation, &fault), name: fault.name, label }
        };
        let field = ["field", "member"].iter().find_map(|name| refused.members.get(*name)?.as_str());
        Self {
            status: refused.status,
            title: refused.title,
            detail: sentence(operation, field, &refused.detail),
            faults: refused.faults.into_iter().map(fault).collect(),
            members: refused.members,
        }
    }
}

impl From<app::Error> for Refused {
    fn from(error: app::Error) -> Self {
        Self::told("", error.into())
    }
}

/// A text of the API as a sentence of a page.
pub(crate) fn plain(text: &str) -> String {
    sentence("", None, text)
}

/// What fields are called: the beginning of the addresses of their operations, the member, the label. The first that fits.
const LABELS: &[(&str, &str, &str)] = &[
    ("/user/", "primary_contact", "Signs in as"),
    ("/organisation/", "primary_contact", "Contact"),
    ("/certificate/create_metadata", "issuance_purpose", "Purpose"),
    ("/certificate/issue", "from", "First day"),
    ("/certificate/issue", "to", "Last day"),
    ("", "account_id", "Account"),
    ("", "account_ids", "Accounts"),
    ("", "account_name", "Name"),
    ("", "add_to_whitelist", "Account to add"),
    ("", "address", "Address"),
    ("", "allocations", "Wh that are drawn, by charge record"),
    ("", "beneficiary", "Beneficiary"),
    ("", "beneficiary_account_id", "Number of the beneficiary's account"),
    ("", "business_id", "Business id"),
    ("", "capacity", "Capacity"),
    ("", "certificate_bundle_id_range_end", "Last certificate"),
    ("", "certificate_bundle_id_range_start", "First certificate"),
    ("", "certificate_bundle_percentage", "Share"),
    ("", "certificate_period_end", "To"),
    ("", "certificate_period_start", "From"),
    ("", "certificate_quantity", "Quantity"),
    ("", "charging_end_datetime", "The reading ends"),
    ("", "charging_energy", "Charged"),
    ("", "charging_start_datetime", "The reading begins"),
    ("", "connected_grid_identification", "Grid"),
    ("", "country_of_issuance", "Country of issuance"),
    ("", "device", "Device"),
    ("", "device_id", "Device"),
    ("", "device_ids", "Devices by number"),
    ("", "device_name", "Name"),
    ("", "device_type", "Does"),
    ("", "discharge_energy", "Discharged"),
    ("", "discharging_end_datetime", "The reading ends"),
    ("", "discharging_start_datetime", "The reading begins"),
    ("", "dissemination_level", "Dissemination level"),
    ("", "efficiency_factor_interval_end", "The efficiency factor is taken to"),
    ("", "efficiency_factor_interval_start", "The efficiency factor is taken from"),
    ("", "energy_source", "Energy source"),
    ("", "expires_at", "Good for"),
    ("", "export_failed", "Takes back reserved bundles, whose export failed"),
    ("", "file", "File of readings"),
    ("", "from", "From"),
    ("", "gc_issuance_id", "Issuance of the certificates"),
    ("", "granular_certificate_bundle_ids", "Certificates"),
    ("", "grid", "Grid"),
    ("", "initial_action_datetime", "First due"),
    ("", "initial_cancellation_datetime", "First due"),
    ("", "initial_transfer_datetime", "First due"),
    ("", "interval_usage", "Energy"),
    ("", "issuance_id", "Issuance id"),
    ("", "issue_market_zone", "Market zone"),
    ("", "issuing_body", "Issuing body"),
    ("", "legal_status", "Legal status"),
    ("", "level", "Level"),
    ("", "location", "Location"),
    ("", "metadata_id", "Issuance metadata"),
    ("", "meter_data_id", "Meter"),
    ("", "name", "Name"),
    ("", "new_password", "New password"),
    ("", "new_password_again", "New password again"),
    ("", "number_of_recurring_actions", "How often in all"),
    ("", "old_password", "Old password"),
    ("", "operational_date", "In operation since"),
    ("", "organisation", "Organisation"),
    ("", "organisation_id", "Organisation"),
    ("", "password", "Password"),
    ("", "peak_demand", "Peak demand"),
    ("", "percentage", "Share"),
    ("", "portion", "How much of it"),
    ("", "primary_contact", "Contact"),
    ("", "purpose", "Purpose"),
    ("", "quality", "Value"),
    ("", "quality_scheme_reference", "Quality scheme"),
    ("", "reason", "Reason"),
    ("", "recurring_action_period_quantity", "Every so many periods"),
    ("", "recurring_action_period_units", "Period"),
    ("", "roles", "Roles"),
    ("", "scopes", "Scopes"),
    ("", "scr_allocation_methodology", "Allocation method"),
    ("", "scr_geographic_matching_method", "How their places were matched"),
    ("", "sort", "Sorted by"),
    ("", "source", "Energy source"),
    ("", "state_of_charge_end", "In store at its end"),
    ("", "state_of_charge_start", "In store at the start"),
    ("", "status", "State"),
    ("", "support_received", "Support received"),
    ("", "target_id", "To which account"),
    ("", "target_registry", "For which registry"),
    ("", "technology_type", "Technology"),
    ("", "time_zone", "Time zone"),
    ("", "to", "To"),
    ("", "user_ids", "Users"),
    ("", "website", "Website"),
];

/// What a field is to hold, where more can be said than of any number or date, and the unit of its bounds.
const RULES: &[(&str, &str, &str)] = &[
    ("account_ids", "Choose accounts, or write their numbers, such as 3, 12", ""),
    ("beneficiary_account_id", "Write the number of an account", ""),
    ("capacity", "Write whole watts, such as 10000000 for 10 MW", "W"),
    ("certificate_bundle_percentage", "Write a share above 0 % and up to 100 %, such as 12.5", "percent"),
    ("certificate_quantity", "Write whole watt-hours, such as 5000000 for 5 MWh", "Wh"),
    ("charging_energy", "Write whole watt-hours, such as 5000000 for 5 MWh", "Wh"),
    ("device_id", "Write the number of a device", ""),
    ("device_ids", "Write the numbers of devices, such as 12, 15", ""),
    ("discharge_energy", "Write whole watt-hours, such as 5000000 for 5 MWh", "Wh"),
    ("interval_usage", "Write watt-hours, such as 5000000 for 5 MWh", "Wh"),
    ("number_of_recurring_actions", "Write a whole number of times", ""),
    ("peak_demand", "Write whole watts, such as 10000 for 10 kW", "W"),
    ("recurring_action_period_quantity", "Write a whole number of periods", ""),
    ("state_of_charge_end", "Write whole watt-hours, such as 5000000 for 5 MWh", "Wh"),
    ("state_of_charge_start", "Write whole watt-hours, such as 5000000 for 5 MWh", "Wh"),
    ("user_ids", "Choose users, or write their numbers, such as 7, 8", ""),
];

/// Units before which numbers have a comma between their thousands.
const UNITS: [&str; 12] =
    ["Wh", "kWh", "MWh", "W", "kW", "MW", "certificates", "bundles", "readings", "rows", "characters", "entries"];

fn label(operation: &str, name: &str) -> Option<&'static str> {
    let found = LABELS.iter().find(|(of, member, _)| *member == name && operation.starts_with(of));
    found.map(|(.., label)| *label)
}

/// What is wrong with a member, by the kind of the fault.
fn rule(operation: &str, fault: &web::RefusedFault) -> String {
    let known = RULES.iter().find(|(name, ..)| *name == fault.name);
    let unit = known.map_or("", |(.., unit)| *unit);
    let hint = |general: &str| known.map_or_else(|| general.to_owned(), |(_, hint, _)| (*hint).to_owned());
    // A share is written in percent.
    if unit == "percent" && fault.kind != "missing" {
        return hint("");
    }
    let bound = || {
        let digits = fault.what.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
        let number = format::thousands(digits?.parse::<i128>().ok()?);
        Some(if unit.is_empty() { number } else { format!("{number} {unit}") })
    };
    let bounded = |words: &str| bound().map(|bound| format!("{words} {bound}"));
    let found = match fault.kind.as_str() {
        // On forms both are whole days.
        "value_error" if fault.what == "Value error, to must be after from" => {
            label(operation, "from").map(|from| format!("Must not be before {from}"))
        }
        "missing" => Some("Fill this in".to_owned()),
        "int_parsing" | "int_type" | "int_from_float" => Some(hint("Write a whole number")),
        "decimal_parsing" | "decimal_type" | "decimal_max_digits" => Some(hint("Write a decimal number, such as 12.5")),
        "datetime_type" | "datetime_from_date_parsing" => {
            Some(hint("Write a date, or a date and a time in UTC, such as 2026-01-31 or 2026-01-31T06:00Z"))
        }
        "greater_than" => bounded("Must be more than"),
        "greater_than_equal" => bounded("Must be at least"),
        "less_than_equal" => bounded("Must be at most"),
        "string_too_short" if fault.what.contains(" 1 ") => Some("Fill this in".to_owned()),
        "string_too_short" => bound().map(|least| format!("Write at least {least} characters")),
        "string_too_long" => bound().map(|most| format!("Write at most {most} characters")),
        "string_type" | "string_unicode" => Some(hint("Write a text")),
        "bool_type" | "bool_parsing" => Some("Choose yes or no".to_owned()),
        "enum" => Some("Choose one of what is offered".to_owned()),
        "list_type" => Some(hint("Choose some, or none")),
        "too_short" => Some("Choose at least one".to_owned()),
        "too_long" => bounded("At most this many are taken:"),
        _ => None,
    };
    found.unwrap_or_else(|| {
        let text = fault.what.strip_prefix("Value error, ").unwrap_or(&fault.what);
        sentence(operation, Some(&fault.name), text)
    })
}

/// A text of the API within a sentence of a page.
pub(crate) fn numbers(text: &str) -> String {
    spelt("", None, text)
}

/// As [`spelt`], with a capital at its beginning.
fn sentence(operation: &str, field: Option<&str>, text: &str) -> String {
    let said = spelt(operation, field, text);
    let mut letters = said.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A text with the labels of fields for the names of members, and its numbers apart. `field` is a member that is named as
/// a word of its own, which could be any word.
fn spelt(operation: &str, field: Option<&str>, text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '#' | '/');
    let mut said = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        if end == 0 {
            said.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(end);
        said.push_str(&told_word(operation, field, word, after));
        rest = after;
    }
    said
}

fn told_word(operation: &str, field: Option<&str>, word: &str, after: &str) -> String {
    let is_member = word.contains('_') || field == Some(word);
    if let Some(label) = label(operation, word).filter(|_| is_member) {
        return label.to_owned();
    }
    let unit = after.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    match word.parse::<i128>() {
        Ok(number) if after.starts_with(' ') && UNITS.contains(&unit) => format::thousands(number),
        Ok(_) | Err(_) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, kind: &str, what: &str) -> web::RefusedFault {
        web::RefusedFault { name: name.to_owned(), kind: kind.to_owned(), what: what.to_owned() }
    }

    #[test]
    fn a_fault_of_a_member_is_told_by_its_label_and_in_plain_words() {
        for (operation, given, label, what) in [
            (
                "/device/create",
                fault(
                    "capacity",
                    "int_parsing",
                    "Input should be a valid integer, unable to parse string as an integer",
                ),
                "Capacity",
                "Write whole watts, such as 10000000 for 10 MW",
            ),
            (
                "/device/create",
                fault("capacity", "less_than_equal", "Input should be less than or equal to 1000000000000"),
                "Capacity",
                "Must be at most 1,000,000,000,000 W",
            ),
            (
                "/device/create",
                fault(
                    "operational_date",
                    "datetime_from_date_parsing",
                    "Input should be a valid datetime or date, it must",
                ),
                "In operation since",
                "Write a date, or a date and a time in UTC, such as 2026-01-31 or 2026-01-31T06:00Z",
            ),
            ("/user/create", fault("primary_contact", "missing", "Field required"), "Signs in as", "Fill this in"),
            ("/organisation/create", fault("primary_contact", "missing", "Field required"), "Contact", "Fill this in"),
            (
                "/certificate/issue",
                fault("to", "value_error", "Value error, to must be after from"),
                "Last day",
                "Must not be before First day",
            ),
            (
                "/user/create",
                fault("password", "string_too_short", "String should have at least 8 characters"),
                "Password",
                "Write at least 8 characters",
            ),
            (
                "/certificate/transfer",
                fault("certificate_bundle_percentage", "less_than_equal", "Input should be less than or equal to 1"),
                "Share",
                "Write a share above 0 % and up to 100 %, such as 12.5",
            ),
            ("", fault("unheard_of", "new_kind", "something else"), "", "Something else"),
        ] {
            assert_eq!(super::label(operation, &given.name).unwrap_or_default(), label, "{given:?}");
            assert_eq!(rule(operation, &given), what, "{given:?}");
        }
    }

    #[test]
    fn numbers_in_a_sentence_can_be_read_and_ids_and_times_stay() {
        for (text, told) in [
            (
                "99999999999999 Wh are asked, the selection holds 10677211200 Wh",
                "99,999,999,999,999 Wh are asked, the selection holds 10,677,211,200 Wh",
            ),
            ("bundle 12345 is Active", "Bundle 12345 is Active"),
            ("it ends at 2026-01-31T06:00:00Z", "It ends at 2026-01-31T06:00:00Z"),
            ("device_name of device 12345 is taken", "Name of device 12345 is taken"),
            ("", ""),
        ] {
            assert_eq!(plain(text), told);
        }
        let taken = sentence("/user/create", Some("primary_contact"), "primary_contact is already used: a_b@c.example");
        assert_eq!(taken, "Signs in as is already used: a_b@c.example");
    }

    #[test]
    fn every_label_is_reached_and_stands_once() {
        for (index, (of, name, _)) in LABELS.iter().enumerate() {
            let address = if of.is_empty() { "/anything" } else { of };
            let first = LABELS.iter().position(|(of, member, _)| member == name && address.starts_with(of));
            assert_eq!(first, Some(index), "{name}");
        }
        for (name, ..) in RULES {
            assert!(label("", name).is_some(), "{name} has a rule and no label");
        }
    }
}
