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
        if example.is_null() {
            continue;
        }
        let answer = administrator.send(&method, &path.replace("{id}", "1"), &example.to_string());
        assert_ne!(answer.status, 422, "{method} {path}: {}", answer.text);
        checked += 1;
    }
    assert!(checked >= 10, "{checked}");
}
