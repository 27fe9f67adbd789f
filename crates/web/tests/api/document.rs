//! `/openapi.json`: the document and the handlers say the same.

use crate::app;
use domain::event::{Entity, EventType};
use domain::{BundleStatus, EnergySource, Role};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::http::TestApp;

fn document(app: &TestApp) -> Value {
    app.anonymous().get("/openapi.json").expect(200).json
}

/// Each operation: method, path, and what the document says of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("an object");
    let of = |(path, item): (&String, &Value)| {
        let operations = item.as_object().expect("an object").clone();
        let path = path.clone();
        operations.into_iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn the_document_is_3_1_and_every_operation_is_told_in_full() {
    let app = app();
    let document = document(&app);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(web::openapi_json(), app.anonymous().get("/openapi.json").text);
    assert!(web::openapi_json().ends_with("}\n"));
    let all = operations(&document);
    assert!(all.len() >= 27, "{}", all.len());
    for (method, path, operation) in all {
        let name = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        assert!(operation["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        let statuses = operation["responses"].as_object().unwrap();
        let is_open = operation["security"] == json!([]);
        assert_eq!(statuses.contains_key("401"), !is_open || path == "/auth/login", "{name}");
        assert!(statuses.contains_key("500") && statuses.contains_key("503"), "{name}");
        let open = ["/auth/login", "/health/live", "/health/ready"];
        assert_eq!(is_open, open.contains(&path.as_str()), "{name}");
        let has_id = path.contains("{id}");
        assert!(!has_id || (statuses.contains_key("404") && statuses.contains_key("422")), "{name}");
    }
}

/// Whether a schema says what its values mean: itself, where it refers to, or in one of the forms that it may have.
fn is_told(document: &Value, schema: &Value) -> bool {
    let referred = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    let forms = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|name| schema[name].as_array());
    schema["description"].as_str().is_some_and(|text| !text.is_empty())
        || referred.is_some_and(|schema| is_told(document, schema))
        || forms.flatten().any(|form| is_told(document, form))
}

/// The properties of a schema and of the schemas within it, each with the name of its place.
fn properties(place: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        properties(&place, property, found);
        found.push((place, property.clone()));
    }
    let forms = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|name| schema[name].as_array());
    let parts = ["items", "additionalProperties"].into_iter().filter_map(|name| schema.get(name));
    forms.flatten().chain(parts).for_each(|schema| properties(place, schema, found));
}

#[test]
fn every_property_and_every_parameter_says_what_it_means() {
    let document = document(&app());
    let mut found = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("an object") {
        properties(name, schema, &mut found);
    }
    assert!(found.len() > 500, "{}", found.len());
    for (method, path, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        found.extend(parameters.map(|it| (format!("{method} {path} {}", it["name"]), it.clone())));
    }
    let untold: Vec<_> =
        found.iter().filter(|(_, schema)| !is_told(&document, schema)).map(|(place, _)| place).collect();
    assert!(untold.is_empty(), "without a description: {untold:#?}");
}

#[test]
fn what_is_an_energy_or_a_power_names_its_unit() {
    let document = document(&app());
    let mut found = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("an object") {
        properties(name, schema, &mut found);
    }
    let mut checked = 0;
    for (place, property) in found {
        let unit = match place.rsplit('.').next().expect("a name") {
            "certificate_quantity"
            | "bundle_quantity"
            | "total_quantity"
            | "quantity"
            | "face_value"
            | "total_certificate_volume"
            | "total_certificate_energy"
            | "energy_by_fuel_type"
            | "interval_usage"
            | "total_usage_per_device" => "Wh",
            name if name.ends_with("_wh") => "Wh",
            "capacity" | "peak_demand" | "device_capacity_by_type" => "W",
            _ => continue,
        };
        let about = property["description"].as_str().unwrap_or_default();
        assert!(about.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == unit), "{place}: {about}");
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn every_request_has_an_example() {
    let document = document(&app());
    let example_of = |schema: &Value| match schema["$ref"].as_str() {
        Some(reference) => {
            document.pointer(reference.strip_prefix('#').unwrap()).expect("it leads there")["example"].clone()
        }
        None => schema["example"].clone(),
    };
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            let schema = &content["schema"];
            let examples = [content["example"].clone(), example_of(schema), example_of(&schema["items"])];
            assert!(examples.iter().any(|example| !example.is_null()), "{method} {path} {kind}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn the_words_of_the_document_are_those_of_the_ledger() {
    let app = app();
    let document = document(&app);
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (schema, words) in [
        ("EntityName", Entity::ALL.iter().map(|it| it.name()).collect::<Vec<_>>()),
        ("EventType", EventType::ALL.iter().map(|it| it.name()).collect()),
        ("BundleStatus", BundleStatus::ALL.iter().map(|it| it.name()).collect()),
        ("EnergySource", EnergySource::ALL.iter().map(|it| it.name()).collect()),
        ("Role", Role::ALL.iter().map(|it| it.name()).collect()),
    ] {
        let told = document["components"]["schemas"][schema]["enum"].as_array().expect("a list");
        let mut told: Vec<_> = told.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
        let mut words = names(&words);
        told.sort_unstable();
        words.sort_unstable();
        assert_eq!(told, words, "{schema}");
    }
}

#[test]
fn no_two_operations_have_one_name() {
    let app = app();
    let mut names: Vec<String> = operations(&document(&app))
        .into_iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().expect("it has a name").to_owned())
        .collect();
    for name in ["account_create", "account_read", "account_update_whitelist", "certificate_read"] {
        assert!(names.iter().any(|it| it == name), "{name} in {names:?}");
    }
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document(&app());
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn what_the_document_calls_required_is_what_is_missing_from_an_empty_body() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let document = document(&app);
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(reference) = schema["$ref"].as_str() else { continue };
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        let required: BTreeSet<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| format!("body.{}", name.as_str().unwrap()))
            .collect();
        let answer = administrator.send(&method, &path.replace("{id}", "1"), "{}");
        let missing: BTreeSet<String> =
            answer.faults().into_iter().filter(|(_, kind)| kind == "missing").map(|(loc, _)| loc).collect();
        assert_eq!(missing, required, "{method} {path}: {}", answer.text);
        // And nothing that it lists is unknown.
        let properties = schema["properties"].as_object().unwrap();
        let strange: serde_json::Map<String, Value> =
            properties.keys().map(|name| (name.clone(), json!([[]]))).collect();
        let answer = administrator.send(&method, &path.replace("{id}", "1"), &Value::Object(strange).to_string());
        let unknown: Vec<_> = answer.faults().into_iter().filter(|(_, kind)| kind == "extra_forbidden").collect();
        assert_eq!(unknown, [], "{method} {path}");
        checked += 1;
    }
    assert!(checked >= 11, "{checked}");
}

#[test]
fn the_document_allows_no_members_that_are_refused() {
    let document = document(&app());
    for (method, path, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(reference) = schema["$ref"].as_str() else { continue };
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        // Metadata is a part of answers too, and there it stands beside other members.
        let is_closed = schema["additionalProperties"] == json!(false);
        assert!(is_closed || reference.ends_with("/MetadataCreate"), "{method} {path}");
    }
}

#[test]
fn the_examples_of_the_document_are_well_formed_requests() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let document = document(&app);
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(reference) = schema["$ref"].as_str() else { continue };
        let example = &document.pointer(reference.strip_prefix('#').unwrap()).unwrap()["example"];
        let answer = administrator.send(&method, &path.replace("{id}", "1"), &example.to_string());
        assert_ne!(answer.status, 422, "{method} {path}: {}", answer.text);
        checked += 1;
    }
    assert!(checked >= 25, "{checked}");
}
