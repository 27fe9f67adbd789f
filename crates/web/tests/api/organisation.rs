//! `/organisation/…`

use crate::{app, assert_faults, assert_problem};
use domain::Role;
use serde_json::{Value, json};

#[test]
fn an_organisation_is_created_once() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let body = json!({
        "name": "Wind plc", "business_id": 4711, "primary_contact": "office@example.org", "website": "https://example.org",
    });
    let made = administrator.post("/organisation/create", &body).expect(201);
    assert_eq!((&made.json["business_id"], &made.json["address"]), (&json!("4711"), &Value::Null));
    assert_eq!(made.json["created_at"], "2026-03-01T12:00:00Z");
    assert_problem(&administrator.post("/organisation/create", &body), 400, "taken");
    let auditor = app.with_user(&[Role::Auditor], &[]);
    assert_problem(&auditor.post("/organisation/create", &body), 403, "forbidden");
    assert_faults(
        &administrator.post("/organisation/create", &json!({"business_id": true, "website": ""})),
        &[
            ("body.name", "missing"),
            ("body.business_id", "string_type"),
            ("body.primary_contact", "missing"),
            ("body.website", "string_too_short"),
        ],
    );
}
