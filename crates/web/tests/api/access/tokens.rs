//! Who shows no living token gets nothing, from any operation, whatever he asks.

use super::World;
use crate::operations::operations;
use domain::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::http::Client;

/// Everybody who has no living token, and how that came.
fn the_dead(world: &World) -> Vec<(&'static str, Client)> {
    let user = || world.app.with_user(&Role::ALL, &[world.source]);
    let expired = user();
    world.app.testkit.time.advance(SignedDuration::from_mins(61));

    let signed_out = user();
    signed_out.post("/auth/logout", &json!({})).expect(200);
    let changed = user();
    let passwords = json!({"old_password": testkit::http::PASSWORD, "new_password": "another password"});
    changed.post("/auth/change_password", &passwords).expect(200);

    let owner = user();
    let key = || owner.post("/auth/api_key/create", &json!({"name": "key", "scopes": ["read"]})).expect(201).json;
    let (revoked, forgotten) = (key(), key());
    let keyed = |key: &Value| owner.with_token(key["api_key"].as_str().expect("the key is shown"));
    let deleted = owner.send("DELETE", &format!("/auth/api_key/delete/{}", revoked["id"]), "");
    deleted.expect(200);
    let (revoked, forgotten) = (keyed(&revoked), keyed(&forgotten));
    let administrator = world.app.with_user(&[Role::RegistryAdministrator], &[]);
    administrator.send("DELETE", &format!("/user/delete/{}", owner.user_id()), "").expect(200);

    let anonymous = world.app.anonymous();
    let living = user();
    let token = living.token();
    let basic = format!("Basic {token}");
    vec![
        ("no header", anonymous.clone()),
        ("a token that never was", anonymous.with_token("nonsense")),
        ("a token in a cookie", anonymous.with_header("cookie", &format!("session={token}; token={token}"))),
        ("a token in a basic header", anonymous.with_header("authorization", &basic)),
        ("a token without its scheme", anonymous.with_header("authorization", token)),
        ("the token of a session that was ended", signed_out),
        ("the token from before a change of password", changed),
        ("a token that has expired", expired),
        ("the token of a user who was deleted", owner),
        ("a key that was revoked", revoked),
        ("a key of a user who was deleted", forgotten),
    ]
}

#[test]
fn who_shows_no_living_token_gets_401_from_every_operation_that_needs_one() {
    let world = World::new();
    let dead = the_dead(&world);
    let before = world.app.testkit.registry.health().expect("the database answers").event_number;
    let mut checked = 0;
    for operation in operations().iter().filter(|operation| operation.needs_token()) {
        for (who, client) in &dead {
            let (address, body) = world.request(&operation.path, 0);
            // Before the body is looked at.
            for body in [body.to_string().as_str(), "{"] {
                let answer = client.send(&operation.method, &address, if operation.changes() { body } else { "" });
                let what = format!("{} with {who}: {}", operation.name(), answer.text);
                assert_eq!((answer.status, answer.problem()), (401, "no_token"), "{what}");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
                checked += 1;
            }
        }
    }
    assert!(checked > 300, "{checked}");
    let after = world.app.testkit.registry.health().expect("the database answers").event_number;
    assert_eq!(after, before, "nothing changed");
}
