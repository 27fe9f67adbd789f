//! What a form orders, as the API reads it.
//!
//! Invariant: what was chosen and what was typed agree, or nothing is asked for. No fraction is ever computed with: a
//! percentage becomes a share by moving its point.

use super::Deed;
use crate::form::Fields;
use crate::words::Fault;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The fields that are kept from one page to the next.
pub(super) const KEPT: [&str; 11] = [
    "portion",
    "certificate_quantity",
    "unit",
    "percentage",
    "target_id",
    "beneficiary",
    "beneficiary_account_id",
    "purpose",
    "target_registry",
    "reason",
    "export_failed",
];

/// The bundles that a form names: one by one, and as lists.
pub(super) fn bundles(fields: &Fields) -> Vec<i64> {
    let lists = fields.all("bundles").flat_map(str::split_ascii_whitespace);
    let ids: BTreeSet<i64> = fields.all("bundle").chain(lists).filter_map(|id| id.parse().ok()).collect();
    ids.into_iter().collect()
}

/// The body of the request.
///
/// # Errors
/// The fields where what was chosen and what was typed do not agree.
pub(super) fn body(deed: Deed, account: i64, bundles: &[i64], fields: &Fields) -> Result<Value, Vec<Fault>> {
    let mut body = Map::new();
    body.insert("source_id".to_owned(), account.into());
    body.insert("granular_certificate_bundle_ids".to_owned(), bundles.into());
    let names: &[&str] = match deed {
        Deed::Transfer => &["target_id"],
        Deed::Cancel => &["beneficiary", "beneficiary_account_id", "purpose"],
        Deed::Reserve => &["target_registry"],
        Deed::Claim => &[],
        Deed::Lock | Deed::Unlock => &["reason"],
        // A box that is not ticked is not sent.
        Deed::Withdraw => &["reason", "export_failed"],
    };
    body.extend(fields.json(names));
    if let Some(flag) = body.get_mut("export_failed") {
        *flag = Value::Bool(true);
    }
    // The API would take the account itself; what cannot be undone is for whom it says.
    if deed == Deed::Cancel && fields.get("beneficiary").is_none() {
        return Err(vec![Fault::of("beneficiary", "Fill this in")]);
    }
    if let Some(text) = fields.get("beneficiary_account_id").filter(|_| deed == Deed::Cancel) {
        let Some(id) = number_behind(text) else {
            return Err(vec![Fault::of(
                "beneficiary_account_id",
                "Choose an account of the list, or enter its number",
            )]);
        };
        body.insert("beneficiary_account_id".to_owned(), id.into());
    }
    let portion = fields.get("portion").unwrap_or("whole");
    body.extend(amount(portion, fields).map_err(|fault| vec![fault])?);
    Ok(Value::Object(body))
}

/// How much is asked for, as members of a request; of the whole there are none.
///
/// # Errors
/// The field where what was chosen and what was typed do not agree.
pub(in crate::screen) fn amount(portion: &str, fields: &Fields) -> Result<Map<String, Value>, Fault> {
    let mut body = Map::new();
    let (quantity, percent) = (fields.get("certificate_quantity"), fields.get("percentage"));
    let fault = |name: &str, what: &str| Err(Fault::of(name, what));
    match (portion, quantity, percent) {
        ("quantity", None, _) => return fault("certificate_quantity", "Fill this in"),
        ("percentage", _, None) => return fault("percentage", "Fill this in"),
        ("quantity", Some(quantity), _) => {
            let unit = fields.get("unit").unwrap_or("Wh");
            let Some(quantity) = watt_hours_of(quantity, unit) else {
                return fault("certificate_quantity", "Enter a number of whole Wh, in the unit that is chosen");
            };
            body.insert("certificate_quantity".to_owned(), quantity.into());
        }
        ("half", None, None) => {
            body.insert("certificate_bundle_percentage".to_owned(), "0.5".into());
        }
        ("quarter", None, None) => {
            body.insert("certificate_bundle_percentage".to_owned(), "0.25".into());
        }
        ("percentage", _, Some(percent)) => {
            let share = share_of(percent);
            let Some(share) = share else { return fault("percentage", "Enter a decimal number, such as 50 or 12.5") };
            body.insert("certificate_bundle_percentage".to_owned(), share.into());
        }
        ("whole", None, None) => {}
        _ => return fault("portion", "A part is given, and another is chosen"),
    }
    Ok(body)
}

/// The number behind a name as lists offer it, `South (7)`, or the number alone.
fn number_behind(text: &str) -> Option<String> {
    let behind = text.trim().rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let number = behind.unwrap_or(text).trim();
    number.parse::<i64>().is_ok_and(|id| id > 0).then(|| number.to_owned())
}

/// 1.5 `MWh` is 1500000 Wh: the point moves. What is given in Wh is the API's to judge, but for commas between thousands.
/// `None` for what is no plain decimal, for what is not whole in Wh, and for no unit of energy.
fn watt_hours_of(quantity: &str, unit: &str) -> Option<String> {
    let decimals = match unit {
        "Wh" => 0,
        "kWh" => 3,
        "MWh" => 6,
        _ => return None,
    };
    let quantity = without_commas(quantity);
    if decimals == 0 {
        return Some(quantity);
    }
    let (whole, fraction) = quantity.split_once('.').unwrap_or((&quantity, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) || fraction.len() > decimals {
        return None;
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    let digits = digits.trim_start_matches('0');
    Some(if digits.is_empty() { "0" } else { digits }.to_owned())
}

/// 24,024 as these pages show it is 24024. Commas that are not between thousands stay.
fn without_commas(number: &str) -> String {
    let whole = number.split_once('.').map_or(number, |(whole, _)| whole);
    let mut groups = whole.split(',');
    let is_first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    let is_apart = is_first && groups.all(|group| group.len() == 3) && !number[whole.len()..].contains(',');
    if is_apart { number.replace(',', "") } else { number.to_owned() }
}

/// 12.5 of a hundred is 0.125: the point moves two places. `None` for what is no plain decimal.
fn share_of(percent: &str) -> Option<String> {
    let percent = percent.strip_suffix('%').unwrap_or(percent).trim_end();
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    let is_plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let digits = format!("00{}", whole.trim_start_matches('0'));
    let (ones, hundredths) = digits.split_at(digits.len() - 2);
    let ones = ones.trim_start_matches('0');
    let fraction = format!("{hundredths}{fraction}");
    let fraction = fraction.trim_end_matches('0');
    let ones = if ones.is_empty() { "0" } else { ones };
    Some(if fraction.is_empty() { ones.to_owned() } else { format!("{ones}.{fraction}") })
}

/// A share as people say it: 0.125 is 12.5 of a hundred. What is written otherwise stays as it is.
pub(in crate::screen) fn percent_of(share: &str) -> String {
    let (whole, fraction) = share.split_once('.').unwrap_or((share, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit()) {
        return format!("a share of {share}");
    }
    let digits = format!("{fraction:0<2}");
    let (hundredths, rest) = digits.split_at(2);
    let whole = format!("{whole}{hundredths}");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { format!("{whole} %") } else { format!("{whole}.{rest} %") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_percentage_is_a_share_exactly() {
        for (percent, share) in [
            ("50", "0.5"),
            ("100", "1"),
            ("12.5", "0.125"),
            ("0.01", "0.0001"),
            ("29", "0.29"),
            ("150", "1.5"),
            ("0", "0"),
            ("007", "0.07"),
            ("33.333333333333", "0.33333333333333"),
            ("50 %", "0.5"),
            ("100.0", "1"),
        ] {
            assert_eq!(share_of(percent).as_deref(), Some(share), "{percent}");
        }
        for text in ["", "half", "12,5", "-1", "1e2", ".5", "1.2.3", "½"] {
            assert_eq!(share_of(text), None, "{text}");
        }
        for (share, percent) in
            [("0.5", "50 %"), ("1", "100 %"), ("0.125", "12.5 %"), ("0.0001", "0.01 %"), ("1e-7", "a share of 1e-7")]
        {
            assert_eq!(percent_of(share), percent);
        }
    }

    #[test]
    fn a_quantity_in_any_unit_is_watt_hours_exactly() {
        for (quantity, unit, expected) in [
            ("24,024", "Wh", "24024"),
            ("24,02", "Wh", "24,02"),
            ("half", "Wh", "half"),
            ("1.5", "Wh", "1.5"),
            ("1.5", "kWh", "1500"),
            ("1.5", "MWh", "1500000"),
            ("0.000001", "MWh", "1"),
            ("1,234.50", "MWh", "1234500000"),
            ("007", "kWh", "7000"),
            ("0", "MWh", "0"),
        ] {
            assert_eq!(watt_hours_of(quantity, unit).as_deref(), Some(expected), "{quantity} {unit}");
        }
        for (quantity, unit) in
            [("0.0005", "kWh"), ("-1", "MWh"), ("1e3", "kWh"), ("", "MWh"), (".5", "MWh"), ("1,5", "MWh"), ("1", "GJ")]
        {
            assert_eq!(watt_hours_of(quantity, unit), None, "{quantity} {unit}");
        }
    }

    fn ordered(deed: Deed, form: &str) -> Result<Value, Vec<Fault>> {
        body(deed, 1, &[2, 3], &Fields::of(form.as_bytes()))
    }

    #[test]
    fn what_was_chosen_and_what_was_typed_agree() {
        let base = |more: Value| {
            let mut body = json!({"source_id": 1, "granular_certificate_bundle_ids": [2, 3]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Ok(body)
        };
        let whole = "target_id=4&portion=whole&reason=no";
        assert_eq!(ordered(Deed::Transfer, whole), base(json!({"target_id": "4"})));
        let part = "portion=quantity&certificate_quantity=500&percentage=50";
        assert_eq!(ordered(Deed::Claim, part), base(json!({"certificate_quantity": "500"})));
        let share = "portion=percentage&percentage=50&export_failed=true&reason=r";
        let expected = json!({"certificate_bundle_percentage": "0.5", "export_failed": true, "reason": "r"});
        assert_eq!(ordered(Deed::Withdraw, share), base(expected));
        for (name, share) in [("half", "0.5"), ("quarter", "0.25")] {
            let form = format!("portion={name}");
            assert_eq!(ordered(Deed::Claim, &form), base(json!({"certificate_bundle_percentage": share})));
        }
        let megawatt_hours = "portion=quantity&certificate_quantity=1.5&unit=MWh";
        assert_eq!(ordered(Deed::Claim, megawatt_hours), base(json!({"certificate_quantity": "1500000"})));
        for (form, field) in [
            ("portion=half&percentage=30", "portion"),
            ("portion=quantity&certificate_quantity=0.0005&unit=kWh", "certificate_quantity"),
            ("portion=quantity", "certificate_quantity"),
            ("portion=percentage&certificate_quantity=5", "percentage"),
            ("portion=percentage&percentage=half", "percentage"),
            ("portion=whole&percentage=50", "portion"),
            ("certificate_quantity=5", "portion"),
            ("portion=all", "portion"),
        ] {
            let faults = ordered(Deed::Claim, form).unwrap_err();
            assert_eq!(faults[0].name, field, "{form}");
        }
    }

    #[test]
    fn bundles_are_named_one_by_one_and_as_lists() {
        let fields = Fields::of(b"bundle=5&bundle=2&bundles=7+2++9&bundle=x");
        assert_eq!(bundles(&fields), [2, 5, 7, 9]);
    }
}
