//! The screens through HTTP, without a browser: who gets in, what a form needs, what is not shown and cannot be done.

mod activity;
mod admin;
mod audit;
mod certificates;
mod device;
mod help;
mod issue;
mod measurement;
mod orders;
mod overview;
mod profile;
mod readings;
mod search;
mod session;
mod storage;
mod whitelist;

use domain::{AccountId, Role};
use std::fmt::Write as _;
use testkit::Engine;
use testkit::http::{Answer, Client, PASSWORD, TestApp};

/// A browser without scripts: it keeps cookies and fills in forms.
#[derive(Clone)]
pub struct Browser {
    client: Client,
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub fn new(app: &TestApp) -> Self {
        Self { client: app.anonymous(), cookies: Vec::new() }
    }

    /// Somebody new with these roles, who has signed in.
    pub fn of(app: &TestApp, roles: &[Role], accounts: &[AccountId]) -> Self {
        let name = format!("visitor-{:08x}@example.org", rand::random::<u32>());
        let set = domain::Roles::of(roles);
        app.testkit.registry.create_user_as_operator(&name, &name, set, None, accounts, PASSWORD).expect("a new user");
        let mut browser = Self::new(app);
        browser.sign_in(&name).expect(303);
        browser
    }

    pub fn sign_in(&mut self, name: &str) -> Answer {
        self.send("/ui/sign-in", &[("username", name), ("password", PASSWORD)])
    }

    pub fn get(&mut self, path: &str) -> Answer {
        let answer = self.asking().get(path);
        self.keep(&answer);
        answer
    }

    /// Asks for a part of a page alone, as the script does.
    pub fn part(&mut self, path: &str) -> Answer {
        let answer = self.asking().with_header("hx-request", "true").get(path);
        self.keep(&answer);
        answer
    }

    /// Sends a form as it is.
    pub fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let answer = self.asking().send("POST", path, &form.finish());
        self.keep(&answer);
        answer
    }

    /// Sends a form of the page at `from`, with the proof that stands in it.
    pub fn fill(&mut self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(from).expect(200);
        assert!(page.text.contains(&format!("action=\"{path}\"")), "{from} has no form for {path}");
        let proof = proof(&page).to_owned();
        let mut fields = fields.to_vec();
        fields.push(("proof", &proof));
        self.send(path, &fields)
    }

    /// Sends a form with a file, whose parts stand in this order; `file` is the name of the part that is the file.
    pub fn upload(&mut self, path: &str, parts: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (name, value) in parts {
            let file = if *name == "file" { "; filename=\"readings.csv\"" } else { "" };
            let head = format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.push_str(&head);
            body.push_str(value);
            body.push_str("\r\n");
        }
        body.push_str("--xyz--\r\n");
        self.send_as("multipart/form-data; boundary=xyz", path, &body)
    }

    /// Sends any body.
    pub fn send_as(&mut self, content_type: &str, path: &str, body: &str) -> Answer {
        let answer = self.asking().with_header("content-type", content_type).send("POST", path, body);
        self.keep(&answer);
        answer
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    fn asking(&self) -> Client {
        let mut cookies = String::new();
        for (name, value) in &self.cookies {
            write!(cookies, "{name}={value}; ").expect("a text");
        }
        self.client.with_header("cookie", &cookies).with_header("sec-fetch-site", "same-origin")
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("a cookie");
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            self.cookies.retain(|(of, _)| of != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// The proof in the first form of a page.
pub fn proof(page: &Answer) -> &str {
    let (_, rest) = page.text.split_once("name=\"proof\" value=\"").expect("a form with a proof");
    rest.split_once('"').expect("the end of a value").0
}

pub fn app() -> TestApp {
    TestApp::on(Engine::Sqlite)
}
