//! `/change_log_level`

use crate::{app, assert_faults, assert_problem};
use domain::Role;
use serde_json::json;
use std::sync::{Arc, Mutex};
use testkit::http::TestApp;
use testkit::{Engine, TestRegistry};
use web::{Controls, Limits, LogLevel};

#[test]
fn the_administrator_changes_the_level_of_the_running_program() {
    let levels = Arc::new(Mutex::new(Vec::new()));
    let (heard, known) = (levels.clone(), levels.clone());
    let controls = Controls {
        log_level: Some(Arc::new(move || known.lock().unwrap().last().copied().unwrap_or(LogLevel::Error))),
        set_log_level: Some(Arc::new(move |level| heard.lock().unwrap().push(level))),
    };
    let app = TestApp::with_controls(TestRegistry::on(Engine::Sqlite), Limits::default(), controls);
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    assert_eq!(administrator.get("/log_level").expect(200).json, json!({"level": "ERROR"}));
    for level in ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "debug"] {
        let answer = administrator.post("/change_log_level", &json!({"level": level})).expect(200).json;
        let level = level.to_uppercase();
        assert_eq!(answer, json!({"level": level, "message": format!("Log level changed to {level}")}));
        assert_eq!(administrator.get("/log_level").expect(200).json, json!({"level": level}));
    }
    let expected = LogLevel::ALL.into_iter().chain([LogLevel::Debug]).collect::<Vec<_>>();
    assert_eq!(*levels.lock().unwrap(), expected);
    for role in [Role::GcIssuer, Role::Auditor] {
        let answer = app.with_user(&[role], &[]).post("/change_log_level", &json!({"level": "DEBUG"}));
        assert_problem(&answer, 403, "forbidden");
        assert_problem(&app.with_user(&[role], &[]).get("/log_level"), 403, "forbidden");
    }
    assert_faults(&administrator.post("/change_log_level", &json!({"level": "LOUD"})), &[("body.level", "enum")]);
    assert_faults(&administrator.post("/change_log_level", &json!({"level": 1})), &[("body.level", "enum")]);
    assert_faults(&administrator.post("/change_log_level", &json!({})), &[("body.level", "missing")]);
    assert_eq!(levels.lock().unwrap().len(), expected.len(), "what is refused changes nothing");
}

#[test]
fn a_program_whose_log_cannot_be_changed_says_so() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let answer = administrator.post("/change_log_level", &json!({"level": "DEBUG"}));
    assert_problem(&answer, 400, "not_available");
    assert_problem(&administrator.get("/log_level"), 400, "not_available");
}
