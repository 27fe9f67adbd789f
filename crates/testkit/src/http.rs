//! A real server on a port of its own over a registry of its own, and clients that are signed in.
//!
//! Everything blocks and panics instead of returning errors: from a test, that is what is wanted.

use crate::stream::Stream;
use crate::{Engine, TestRegistry};
use domain::{AccountId, Role, UserId};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use ureq::Agent;
use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Request};
use web::{Controls, Limits};

/// How long a test waits for an answer before it fails.
const ANSWER_WAIT_MAX: Duration = Duration::from_mins(2);
/// The password of every user that tests sign in.
pub const PASSWORD: &str = "a password of tests";

/// A registry behind HTTP. Dropped, it stops.
pub struct TestApp {
    pub testkit: TestRegistry,
    address: SocketAddr,
    agent: Agent,
    stop: Option<oneshot::Sender<()>>,
    server: Option<std::thread::JoinHandle<()>>,
}

impl TestApp {
    /// Over an empty registry, with the usual limits.
    pub fn on(engine: Engine) -> Self {
        Self::with(TestRegistry::on(engine), Limits::default())
    }

    pub fn with(testkit: TestRegistry, limits: Limits) -> Self {
        Self::with_controls(testkit, limits, Controls::default())
    }

    pub fn with_controls(testkit: TestRegistry, limits: Limits, controls: Controls) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let (stop, stopped) = oneshot::channel::<()>();
        let registry = testkit.registry.clone();
        let server = std::thread::spawn(move || {
            let shutdown = async move {
                let _: Result<(), _> = stopped.await;
            };
            let check = crate::audit::check_of(&registry.settings().database);
            let screens = |api| ui::screens(registry.clone(), api, check);
            let served = web::serve(registry.clone(), limits, controls, screens, listener, shutdown);
            runtime.block_on(served).expect("the server runs");
        });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_WAIT_MAX))
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Self { testkit, address, agent, stop: Some(stop), server: Some(server) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who shows no token.
    pub fn anonymous(&self) -> Client {
        Client {
            agent: self.agent.clone(),
            base: format!("http://{}", self.address),
            headers: Vec::new(),
            user: None,
            token: None,
        }
    }

    /// A new user with these roles, who belongs to these accounts, signed in.
    pub fn with_user(&self, roles: &[Role], accounts: &[AccountId]) -> Client {
        let name = format!("user-{:08x}@example.org", rand::random::<u32>());
        let registry = &self.testkit.registry;
        let set = domain::Roles::of(roles);
        let user = registry.create_user_as_operator(&name, &name, set, None, accounts, PASSWORD).expect("a new user");
        let mut client = self.anonymous();
        client.sign_in(&name, PASSWORD);
        client.user = Some(user);
        client
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take()
            && server.join().is_err()
        {
            eprintln!("the server panicked");
        }
    }
}

/// Sends requests to one [`TestApp`].
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    headers: Vec<(String, String)>,
    user: Option<UserId>,
    token: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null if the body is no JSON.
    pub json: Value,
}

impl Client {
    fn sign_in(&mut self, name: &str, password: &str) {
        let answer = self.post("/auth/login", &serde_json::json!({ "username": name, "password": password }));
        assert_eq!(answer.status, 200, "sign-in: {}", answer.text);
        self.token = answer.json["access_token"].as_str().map(str::to_owned);
    }

    /// The user that is signed in.
    pub fn user_id(&self) -> UserId {
        self.user.expect("somebody is signed in")
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().expect("somebody is signed in")
    }

    /// The same client, showing this token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client, sending this header too.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string())
    }

    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &body.to_string())
    }

    /// Any method with any body; no content type but what [`with_header`](Self::with_header) gave.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = self.request(method, path);
        let answer = if body.is_empty() {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            self.agent.run(request.body(body.to_owned()).expect("a request"))
        };
        answer_of(answer.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }

    fn request(&self, method: &str, path: &str) -> Builder {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    /// The answer, if it is another one.
    pub fn follow(&self, path: &str) -> Result<Stream, Box<Answer>> {
        let answer = self.agent.run(self.request("GET", path).body(()).expect("a request"));
        let answer = answer.unwrap_or_else(|error| panic!("GET {path}: {error}"));
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        if kind == Some("text/event-stream") {
            return Ok(Stream::new(answer.into_body().into_reader()));
        }
        Err(Box::new(answer_of(answer)))
    }
}

fn answer_of(mut answer: ureq::http::Response<ureq::Body>) -> Answer {
    let text = answer.body_mut().with_config().limit(1024 * 1024 * 1024).read_to_string().expect("a body");
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        json: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

impl Answer {
    /// The same, if the status is this one.
    ///
    /// # Panics
    /// Otherwise, with the body.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "the check alone is often what is wanted")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The event number that a change reached.
    pub fn event(&self) -> i64 {
        self.header("x-granary-event").and_then(|text| text.parse().ok()).expect("a change tells its event")
    }

    /// The slug of a problem.
    pub fn problem(&self) -> &str {
        self.json["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/")).unwrap_or_default()
    }

    /// The faults of a shape: where, joined with dots, and which.
    pub fn faults(&self) -> Vec<(String, String)> {
        let place = |place: &Value| place.as_str().map_or_else(|| place.to_string(), str::to_owned);
        let of = |fault: &Value| {
            let loc: Vec<String> = fault["loc"].as_array().into_iter().flatten().map(place).collect();
            (loc.join("."), fault["type"].as_str().unwrap_or_default().to_owned())
        };
        self.json["detail"].as_array().into_iter().flatten().map(of).collect()
    }
}
