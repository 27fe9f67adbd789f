//! Whatever is wrong with a request is told with its place, changes nothing and is never our fault: every operation of the
//! document, every member that it lists.

use crate::access::World;
use crate::measurement::encoded;
use crate::operations::{Operation, operations};
use domain::Role;
use serde_json::{Value, json};
use testkit::http::{Answer, Client};

/// Sends requests about a world, and looks after each whether it changed something.
struct Sender {
    world: World,
    /// May do everything, so that only the request's shape can be what is refused.
    client: Client,
    unique: usize,
    sent: usize,
}

impl Sender {
    fn new() -> Self {
        let world = World::new();
        let client = world.app.with_user(&Role::ALL, &[world.source]);
        Self { world, client, unique: 10_000, sent: 0 }
    }

    /// A well-formed request for the operation.
    fn well_formed(&mut self, operation: &Operation) -> (String, Value) {
        self.unique += 1;
        self.world.request(&operation.path, self.unique)
    }

    fn event(&self) -> i64 {
        self.world.app.testkit.registry.health().expect("the database answers").event_number.0
    }

    /// Sends what must be refused for its shape, with all faults at `place` or within it.
    #[track_caller]
    fn refused(&mut self, operation: &Operation, address: &str, body: &str, place: &str) -> Answer {
        let before = self.event();
        let answer = self.client.send(&operation.method, address, body);
        let shown: String = body.chars().take(300).collect();
        let what = format!("{} {address} {shown}\n{}", operation.method, answer.text);
        assert_eq!(answer.status, 422, "{what}");
        let faults = answer.faults();
        assert!(!faults.is_empty(), "{what}");
        for (loc, _) in faults {
            let is_there = loc == place || loc.starts_with(&format!("{place}."));
            assert!(is_there, "{loc} instead of {place}: {what}");
        }
        assert_eq!(self.event(), before, "{what}");
        self.sent += 1;
        answer
    }
}

/// Operations whose body is one JSON object and nothing else.
fn with_object() -> Vec<Operation> {
    let is_so = |operation: &Operation| operation.members().is_some() && operation.path != "/auth/login";
    operations().into_iter().filter(is_so).collect()
}

#[test]
fn what_is_no_object_is_refused_by_every_operation() {
    let mut sender = Sender::new();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for operation in with_object() {
        let (address, _) = sender.well_formed(&operation);
        for (body, kind) in [
            ("{", "json_invalid"),
            ("{\"a\":}", "json_invalid"),
            ("{\"a\":1}}", "json_invalid"),
            ("{\"a\":01}", "json_invalid"),
            ("{a:1}", "json_invalid"),
            ("\u{feff}{}", "json_invalid"),
            ("nonsense", "json_invalid"),
            (deep.as_str(), "json_invalid"),
            ("[]", "model_attributes_type"),
            ("[{}]", "model_attributes_type"),
            ("17", "model_attributes_type"),
            ("\"{}\"", "model_attributes_type"),
            ("null", "model_attributes_type"),
            ("true", "model_attributes_type"),
        ] {
            let answer = sender.refused(&operation, &address, body, "body");
            assert_eq!(answer.faults(), [("body".to_owned(), kind.to_owned())], "{} {body}", operation.name());
        }
    }
    assert!(sender.sent > 100, "{}", sender.sent);
}

#[test]
fn members_that_are_unknown_or_given_twice_are_refused_by_every_operation() {
    let mut sender = Sender::new();
    for operation in with_object() {
        let (address, body) = sender.well_formed(&operation);
        for name in ["no_such_member", "", "__proto__", "a b", "ünknown", &"x".repeat(1_000)] {
            let mut more = body.clone();
            more[name] = json!(1);
            let shown: String = name.chars().take(200).collect();
            let answer = sender.refused(&operation, &address, &more.to_string(), &format!("body.{shown}"));
            assert_eq!(answer.faults()[0].1, "extra_forbidden", "{} {name}", operation.name());
        }
        for (name, value) in body.as_object().expect("an object") {
            let text = body.to_string();
            let twice = format!("{},{}:{value}}}", &text[..text.len() - 1], json!(name));
            let answer = sender.refused(&operation, &address, &twice, &format!("body.{name}"));
            assert_eq!(answer.faults()[0].1, "value_error", "{} {name}", operation.name());
        }
    }
    assert!(sender.sent > 100, "{}", sender.sent);
}

/// What is no value of a schema, whatever else it may allow.
fn wrong_values(schema: &Value) -> Vec<Value> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut wrong = Vec::new();
    if !types.contains(&"object") && !schema["additionalProperties"].is_object() {
        wrong.push(json!({"a": 1}));
    }
    if types.contains(&"array") {
        wrong.extend([json!("x"), json!(5), json!([[]]), json!([null]), json!([{}])]);
        wrong.extend(wrong_values(&schema["items"]).into_iter().map(|value| json!([value])));
    } else {
        wrong.extend([json!([[]]), json!([{}])]);
    }
    if types.contains(&"integer") {
        wrong.extend([json!("x"), json!(""), json!(true), json!(1.5), json!("1.5"), json!(1e30)]);
        wrong.extend([json!(u64::MAX), json!("9223372036854775808"), json!("1e999999999999999999999")]);
        if schema["minimum"].as_i64().is_some_and(|least| least > 0) {
            wrong.extend([json!(0), json!("0")]);
        }
        if schema["minimum"].as_i64().is_some_and(|least| least >= 0) {
            wrong.extend([json!(-1), json!(i64::MIN)]);
        }
    }
    if types.contains(&"boolean") {
        wrong.extend([json!("maybe"), json!(2), json!(-1)]);
    }
    if types.contains(&"string") {
        let most = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
        wrong.extend([json!(true), json!("x".repeat(most.unwrap_or(100_000) + 1))]);
        if schema["pattern"].is_string() {
            wrong.extend([json!("a\u{0}b"), json!("pay\u{202e}lap"), json!("line\nbreak")]);
        }
        if schema["enum"].is_array() || schema["format"] == "date-time" {
            wrong.extend([json!("no such word"), json!("2026-02-30T00:00:00Z"), json!(5)]);
        }
    }
    wrong
}

#[test]
fn wrong_values_of_every_member_are_refused_with_their_place() {
    let mut sender = Sender::new();
    for operation in with_object() {
        for (name, schema) in operation.members().expect("an object") {
            let is_reading = name == "interval_usage";
            for value in wrong_values(&schema) {
                if is_reading && [json!(1.5), json!("1.5")].contains(&value) {
                    // A reading may carry decimals, and is rounded once.
                    continue;
                }
                let (address, mut body) = sender.well_formed(&operation);
                body[&name] = value;
                sender.refused(&operation, &address, &body.to_string(), &format!("body.{name}"));
            }
        }
    }
    assert!(sender.sent > 500, "{}", sender.sent);
}

#[test]
fn wrong_ids_in_the_path_are_refused_by_every_operation() {
    let mut sender = Sender::new();
    for operation in operations().into_iter().filter(|operation| operation.path.contains("{id}")) {
        let (_, body) = sender.well_formed(&operation);
        let body = if operation.changes() { body.to_string() } else { String::new() };
        for id in
            ["0", "-1", "x", "1.5", "9223372036854775808", "99999999999999999999", "1e400", "%00", "1%20OR%201", "null"]
        {
            let address = operation.path.replace("{id}", id);
            sender.refused(&operation, &address, &body, "path.id");
        }
    }
    assert!(sender.sent > 50, "{}", sender.sent);
}

#[test]
fn wrong_parameters_of_the_query_string_are_refused_with_their_place() {
    let mut sender = Sender::new();
    for operation in operations() {
        let parameters = operation.parameters("query");
        if parameters.is_empty() && !operation.needs_token() {
            continue;
        }
        let (address, body) = sender.well_formed(&operation);
        let body = if operation.changes() { body.to_string() } else { String::new() };
        let (path, given) = address.split_once('?').unwrap_or((&address, ""));
        // The well-formed parameters, but for the one that is tried.
        let with = |name: &str, value: &str| {
            let others = given.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
            let all: Vec<String> = others.map(str::to_owned).chain([format!("{name}={value}")]).collect();
            format!("{path}?{}", all.join("&"))
        };
        sender.refused(&operation, &with("no_such_parameter", "1"), &body, "query.no_such_parameter");
        for (name, schema) in parameters {
            let mut wrong: Vec<String> = wrong_values(&schema)
                .into_iter()
                .filter_map(|value| match value {
                    Value::String(text) if text.len() < 10_000 => Some(text),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                })
                .filter(|text| schema["type"] != "string" || schema["enum"].is_array() || text.contains('\u{0}'))
                .collect();
            wrong.retain(|text| !text.is_empty());
            for text in wrong {
                sender.refused(&operation, &with(&name, &encoded(&text)), &body, &format!("query.{name}"));
            }
            let twice = format!("{}&{name}=1", with(&name, "1"));
            sender.refused(&operation, &twice, &body, &format!("query.{name}"));
        }
    }
    assert!(sender.sent > 100, "{}", sender.sent);
}
