//! What clients of the demonstration registry send, in the very shapes in which they send it, and what they rely on in
//! the answers: its notebook and its load scripts, the requests of its own tests, the screens of a fork.

mod bodies;
mod requests;
mod sessions;

use domain::Role;
use serde_json::{Value, json};
use testkit::http::{Client, TestApp};
use testkit::{Engine, at, hours_from};

/// When the demonstration registry's data is young: what was produced on its day is not expired yet.
const THEN: &str = "2024-12-18T12:00:00Z";
/// The day that its seeding fetches.
const DAY: &str = "2024-01-01T00:00:00Z";

/// A registry as the demonstration's seeding leaves it: user 1, of account 1, with device 1 and its bundles of one day.
struct Seeded {
    app: TestApp,
    /// User 1, who may do what the notebook does. Sends no content type.
    user: Client,
}

impl Seeded {
    fn new() -> Self {
        let app = TestApp::on(Engine::Sqlite);
        let kit = &app.testkit;
        kit.time.set(at(THEN));
        let account = kit.account("Test Account");
        let roles = [Role::RegistryAdministrator, Role::TradingUser];
        let user = app.with_user(&roles, &[account]);
        let device = kit.device("E_MARK-1", account);
        kit.metadata();
        kit.readings(device, hours_from(at(DAY), 24), 1_000);
        let body = json!({"metadata_id": 1, "from": "2024-01-01", "to": "2024-01-02"});
        assert_eq!(user.post("/certificate/issue", &body).expect(202).json["issued"], 24);
        assert_eq!((user.user_id().0, account.0, device.0), (1, 1, 1));
        Self { app, user }
    }

    /// The bundles of an account, as a query of everything gives them.
    fn bundles(&self, account: i64) -> Vec<Value> {
        let answer = self.user.post("/certificate/query", &json!({"source_id": account, "user_id": 1})).expect(202);
        answer.json["granular_certificate_bundles"].as_array().expect("a list").clone()
    }
}

/// What a client knows of an error: `detail` is a text, or the faults of the request's shape.
#[track_caller]
fn detail(answer: &testkit::http::Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    answer.json["detail"].clone()
}
