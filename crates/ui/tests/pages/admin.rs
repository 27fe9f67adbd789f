//! Administration: users, accounts, metadata, health, the log's level; for the administrator only.

use crate::{Browser, app, proof};
use domain::{AccountId, Role, UserId};
use std::sync::{Arc, Mutex};
use testkit::http::{PASSWORD, TestApp};
use testkit::{Engine, TestRegistry};

const PAGES: [&str; 9] = [
    "/ui/admin",
    "/ui/admin/users",
    "/ui/admin/user/new",
    "/ui/admin/accounts",
    "/ui/admin/account/new",
    "/ui/admin/organisations",
    "/ui/admin/organisation/new",
    "/ui/admin/metadata",
    "/ui/admin/metadata/new",
];

fn administrator(app: &TestApp) -> Browser {
    Browser::of(app, &[Role::RegistryAdministrator], &[])
}

/// The number in the last link to one of a kind.
fn last_id(page: &testkit::http::Answer, place: &str) -> i64 {
    let found = page.text.match_indices(place).last().expect("a link");
    page.text[found.0 + place.len()..].split('"').next().expect("the end of a value").parse().expect("a number")
}

#[test]
fn a_user_is_made_changed_trusted_and_deleted() {
    let app = app();
    let account = app.testkit.account("Own");
    let mut admin = administrator(&app);
    let new = "/ui/admin/user/new";
    let form = [
        ("name", "Ada <b>Byron</b>"),
        ("primary_contact", "ada@example.org"),
        ("organisation", "Engines"),
        ("account_ids", "1"),
        ("password", PASSWORD),
        ("roles", "Trading User"),
        ("once", "made-once-for-ada"),
    ];
    for _ in 0..2 {
        // Sent twice: one user.
        let made = admin.fill(new, new, &form).expect(303);
        assert!(admin.get(made.header("location").expect("a page")).expect(200).text.contains("data-told>Created."));
    }
    let page = admin.get("/ui/admin/users").expect(200);
    assert_eq!(page.text.matches("ada@example.org").count(), 1);
    assert!(
        page.text.contains("Ada &#60;b&#62;Byron") && !page.text.contains("<b>Byron") && page.text.contains("Engines")
    );
    let id = last_id(&page, "href=\"/ui/admin/user/");
    let one = format!("/ui/admin/user/{id}");
    let mut ada = Browser::new(&app);
    ada.sign_in("ada@example.org").expect(303);
    ada.get(&format!("/ui/account/{}", account.0)).expect(200);
    // Changed by one form: what is not sent is taken away, and what is the same is not asked for.
    let changed = [("name", "Ada Lovelace"), ("primary_contact", "ada@example.org"), ("roles", "Trading User")];
    admin.fill(&one, &one, &changed).expect(303);
    let page = admin.get(&one).expect(200);
    assert!(page.text.contains("<h1>Ada Lovelace</h1>") && !page.text.contains("Engines"), "{}", page.text);
    assert!(page.text.contains("role=\"status\" data-told>Saved.</p>"), "{}", page.text);
    assert!(!admin.get(&one).expect(200).text.contains("data-told"), "it is said once");
    ada.get(&format!("/ui/account/{}", account.0)).expect(404);
    let roles = [&changed[..2], &[("roles", "Auditor"), ("roles", "Measurement Body"), ("account_ids", "1")]].concat();
    admin.fill(&one, &one, &roles).expect(303);
    let page = admin.get(&one).expect(200);
    for (role, is_chosen) in [("Auditor", true), ("Measurement Body", true), ("Trading User", false)] {
        assert_eq!(page.text.contains(&format!("value=\"{role}\" checked")), is_chosen, "{role}");
    }
    assert!(page.text.contains("name=\"account_ids\" value=\"1\" checked> Own "), "by its name: {}", page.text);
    admin.fill(&one, &one, &roles).expect(303);
    assert!(admin.get(&one).expect(200).text.contains("Nothing was different"));
    // What was saved before the roles were refused is said, and nothing that was typed is lost.
    let none = [("name", "Countess"), ("primary_contact", "ada@example.org")];
    let page = admin.fill(&one, &one, &none).expect(422);
    assert!(page.text.contains("id=\"roles-fault\">Choose at least one"), "{}", page.text);
    assert!(page.text.contains("What else was changed on the form is saved"), "{}", page.text);
    let page = admin.get(&one).expect(200).text;
    assert!(page.contains("<h1>Countess</h1>") && page.contains("value=\"Auditor\" checked"), "{page}");
    admin.fill(&one, &format!("{one}/delete"), &[]).expect(303);
    assert!(!admin.get("/ui/admin/users").expect(200).text.contains("ada@example.org"));
    assert!(admin.get(&one).expect(200).text.contains("This user is deleted"));
    Browser::new(&app).sign_in("ada@example.org").expect(401);
}

#[test]
fn what_is_wrong_with_a_user_is_told_beside_its_field_and_what_was_typed_stays() {
    let app = app();
    let mut admin = administrator(&app);
    let new = "/ui/admin/user/new";
    let form = [("name", "Somebody"), ("account_ids", "1, x"), ("password", "secret8!"), ("roles", "Auditor")];
    let page = admin.fill(new, new, &form).expect(422);
    for shown in ["Fill this in", "value=\"Somebody\"", "value=\"Auditor\" checked", "aria-invalid=\"true\""] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("secret8!"), "a password is never shown");
    let again = [("name", "Somebody"), ("primary_contact", "one@example.org"), ("roles", "Auditor")];
    admin.fill(new, new, &again).expect(303);
    admin.fill(new, new, &again).expect(400);
    let id = last_id(&admin.get("/ui/admin/users").expect(200), "href=\"/ui/admin/user/");
    let one = format!("/ui/admin/user/{id}");
    let page = admin.fill(&one, &one, &[("primary_contact", "one@example.org")]).expect(422);
    assert!(page.text.contains("name-help\"><span class=\"fault\">"), "{}", page.text);
}

#[test]
fn an_account_is_made_renamed_given_users_and_deleted() {
    let app = app();
    let mut admin = administrator(&app);
    let user: UserId = app.testkit.user("Trader", &[Role::TradingUser], &[]);
    assert!(admin.get("/ui/admin/accounts").expect(200).text.contains("There is no account yet"));
    let new = "/ui/admin/account/new";
    admin.fill(new, new, &[("account_name", "<i>North</i>")]).expect(303);
    let page = admin.get("/ui/admin/accounts").expect(200);
    assert!(page.text.contains("&#60;i&#62;North") && !page.text.contains("<i>North"));
    let id = last_id(&page, "href=\"/ui/admin/account/");
    let one = format!("/ui/admin/account/{id}");
    let changed = [("account_name", "South"), ("user_ids", &user.0.to_string())];
    admin.fill(&one, &one, &changed).expect(303);
    for (list, listed, page, chosen) in [
        (
            "/ui/admin/accounts",
            format!("<a href=\"/ui/admin/user/{0}\">Trader</a>", user.0),
            one.clone(),
            "Trader (Trader@example.org)",
        ),
        ("/ui/admin/users", format!("<a href=\"{one}\">South</a>"), format!("/ui/admin/user/{}", user.0), "South"),
    ] {
        assert!(admin.get(list).expect(200).text.contains(&listed), "{list}");
        let page = admin.get(&page).expect(200).text;
        assert!(page.contains(&format!(" checked> {chosen} <span class=\"faint\">")), "{chosen}: {page}");
    }
    assert!(admin.fill(&one, &one, &[("account_name", "")]).expect(422).text.contains("aria-invalid=\"true\""));
    admin.fill(&one, &one, &[("account_name", "South"), ("user_ids", "")]).expect(303);
    assert!(!admin.get("/ui/admin/accounts").expect(200).text.contains("Trader"));
    let farm = app.testkit.device("Farm", AccountId(id));
    let page = admin.fill(&one, &format!("{one}/delete"), &[]);
    assert!(page.status >= 400 && page.text.contains("role=\"alert\""), "an account with a device stays: {farm}");
    admin.fill(new, new, &[("account_name", "Empty")]).expect(303);
    let id = last_id(&admin.get("/ui/admin/accounts").expect(200), "href=\"/ui/admin/account/");
    let empty = format!("/ui/admin/account/{id}");
    admin.fill(&empty, &format!("{empty}/delete"), &[]).expect(303);
    assert!(admin.get(&empty).expect(200).text.contains("This account is deleted"));
}

#[test]
fn what_is_too_much_for_a_list_is_searched_by_a_part_of_its_name() {
    let app = app();
    for number in 1..=301 {
        app.testkit.account(&format!("Account {number:03}, <north>"));
    }
    let mut admin = administrator(&app);
    let user = app.testkit.user("Trader", &[Role::TradingUser], &[AccountId(7)]);
    let one = format!("/ui/admin/user/{}", user.0);
    let page = admin.get(&one).expect(200);
    assert!(page.text.contains("value=\"7\" checked> Account 007, &#60;north&#62;"), "{}", page.text);
    assert!(page.text.contains("hx-get=\"/ui/admin/pick/accounts\"") && !page.text.contains("Account 008"));
    let found = admin.part("/ui/admin/pick/accounts?account_ids=account+29").expect(200).text;
    assert_eq!(found.matches("<option").count(), 10, "{found}");
    assert!(found.starts_with("<option value=\"290: Account 290, &#60;north&#62;\">"), "{found}");
    assert!(admin.part("/ui/admin/pick/accounts?account_ids=").expect(200).text.trim().is_empty());
    admin.part("/ui/admin/pick/planets?x=y").expect(404);
    // A suggestion is taken as it stands.
    let form = [
        ("name", "Trader"),
        ("primary_contact", "Trader@example.org"),
        ("roles", "Trading User"),
        ("account_ids", "7"),
        ("account_ids", "290: Account 290"),
    ];
    admin.fill(&one, &one, &form).expect(303);
    let page = admin.get(&one).expect(200);
    assert!(page.text.contains("value=\"290\" checked") && page.text.contains("value=\"7\" checked"), "{}", page.text);
    Browser::of(&app, &[Role::Auditor], &[]).get("/ui/admin/pick/accounts?x=account").expect(403);
}

#[test]
fn an_organisation_is_made_changed_and_deleted() {
    let app = app();
    let mut admin = administrator(&app);
    let list = "/ui/admin/organisations";
    assert!(admin.get(list).expect(200).text.contains("There is no organisation yet"));
    let new = "/ui/admin/organisation/new";
    let form = [
        ("name", "Mill <b>Ltd</b>"),
        ("business_id", "007"),
        ("primary_contact", "desk@example.org"),
        ("website", "https://example.org"),
        ("once", "made-once-for-the-mill"),
    ];
    let page = admin.fill(new, new, &form[..1]).expect(422);
    assert!(page.text.contains("business_id-help\"><span class=\"fault\">Fill this in"), "{}", page.text);
    assert!(page.text.contains("value=\"Mill &#60;b&#62;Ltd"), "what was typed stays: {}", page.text);
    for _ in 0..2 {
        // Sent twice: one organisation.
        admin.fill(new, new, &form).expect(303);
    }
    let page = admin.get(list).expect(200);
    assert_eq!(page.text.matches("Mill &#60;b&#62;Ltd").count(), 1);
    assert!(!page.text.contains("<b>Ltd") && page.text.contains("https://example.org") && page.text.contains("007"));
    let id = last_id(&page, "href=\"/ui/admin/organisation/");
    let one = format!("/ui/admin/organisation/{id}");
    let taken = admin.fill(new, new, &[&form[..4], &[("once", "another")]].concat()).expect(400);
    assert!(taken.text.contains("role=\"alert\""), "{}", taken.text);
    let changed = [("name", "Mill"), ("business_id", "007"), ("primary_contact", "desk@example.org")];
    admin.fill(&one, &one, &changed).expect(303);
    let page = admin.get(&one).expect(200);
    assert!(page.text.contains("<h1>Mill</h1>") && !page.text.contains("https://example.org"), "{}", page.text);
    assert!(
        admin
            .fill(&one, &one, &changed[..2])
            .expect(422)
            .text
            .contains("primary_contact-help\"><span class=\"fault\">")
    );
    // It is told by its name where it stands behind an account.
    let new = "/ui/admin/account/new";
    admin.fill(new, new, &[("account_name", "North"), ("organisation_id", &id.to_string())]).expect(303);
    let page = admin.get("/ui/admin/accounts").expect(200);
    assert!(page.text.contains(&format!("<a href=\"{one}\">Mill</a>")), "{}", page.text);
    admin.fill(&one, &format!("{one}/delete"), &[]).expect(303);
    assert!(!admin.get(list).expect(200).text.contains(">Mill<"));
    assert!(admin.get(&one).expect(200).text.contains("This organisation is deleted"));
}

#[test]
fn metadata_is_made_for_ever() {
    let app = app();
    let mut admin = administrator(&app);
    assert!(admin.get("/ui/admin/metadata").expect(200).text.contains("There is none yet"));
    let new = "/ui/admin/metadata/new";
    let form = [
        ("issuing_body", "<b>Body</b>"),
        ("country_of_issuance", "GB"),
        ("connected_grid_identification", "GB grid"),
        ("issue_market_zone", "GB"),
        ("support_received", "none"),
    ];
    let page = admin.fill(new, new, &form[1..]).expect(422);
    assert!(page.text.contains("issuing_body-help\"><span class=\"fault\">Fill this in"), "{}", page.text);
    admin.fill(new, new, &form).expect(303);
    let page = admin.get("/ui/admin/metadata").expect(200);
    assert!(page.text.contains("&#60;b&#62;Body") && page.text.contains("Support received: none"), "{}", page.text);
}

#[test]
fn health_is_what_was_measured_and_the_log_tells_as_much_as_it_is_told_to() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (hearing, known) = (Arc::clone(&heard), Arc::clone(&heard));
    let controls = web::Controls {
        log_level: Some(Arc::new(move || known.lock().unwrap().last().copied().unwrap_or(web::LogLevel::Error))),
        set_log_level: Some(Arc::new(move |level| hearing.lock().unwrap().push(level))),
    };
    let app = TestApp::with_controls(TestRegistry::on(Engine::Sqlite), web::Limits::default(), controls);
    app.testkit.account("One");
    let mut admin = administrator(&app);
    let page = admin.get("/ui/admin").expect(200);
    let events = app.testkit.registry.measured().unwrap().events;
    assert!(page.text.contains(&format!("<dt>Events</dt><dd>{events}</dd>")), "{}", page.text);
    assert!(page.text.contains("<dt>Standby for reads</dt><dd>none</dd>") && page.text.contains("up to "));
    assert!(page.text.contains("<strong>All is well.</strong>"), "{}", page.text);
    for shown in ["<dt>Version</dt><dd>0.", "<dt>Running since</dt>", "not since the program started"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(page.text.contains("<option selected>ERROR</option>"), "{}", page.text);
    let done = admin.fill("/ui/admin", "/ui/admin/log-level", &[("level", "WARNING")]).expect(200);
    assert!(done.text.contains("Log level changed to WARNING"), "{}", done.text);
    assert!(done.text.contains("<option selected>WARNING</option>") && done.text.contains("<strong>WARNING</strong>"));
    assert_eq!(*heard.lock().unwrap(), [web::LogLevel::Warning]);
    admin.fill("/ui/admin", "/ui/admin/log-level", &[("level", "LOUD")]).expect(422);
}

#[test]
fn nobody_else_administers() {
    let app = app();
    let account = app.testkit.account("Own");
    let mut admin = administrator(&app);
    let others = Role::ALL.into_iter().filter(|role| *role != Role::RegistryAdministrator);
    for role in others {
        let mut browser = Browser::of(&app, &[role], &[account]);
        for page in PAGES.iter().copied().chain(["/ui/admin/user/1", "/ui/admin/account/1", "/ui/admin/organisation/1"])
        {
            let told = browser.get(page).expect(403);
            assert!(told.text.contains("Registry Administrator") && !told.text.contains("href=\"/ui/admin"), "{page}");
        }
        let proof = proof(&browser.get("/ui/profile").expect(200)).to_owned();
        let sent = [
            "/ui/admin/user/new",
            "/ui/admin/user/1",
            "/ui/admin/user/1/delete",
            "/ui/admin/account/new",
            "/ui/admin/account/1",
            "/ui/admin/account/1/delete",
            "/ui/admin/organisation/new",
            "/ui/admin/organisation/1",
            "/ui/admin/organisation/1/delete",
            "/ui/admin/metadata/new",
            "/ui/admin/log-level",
        ];
        for path in sent {
            browser.send(path, &[("proof", &proof)]).expect(403);
        }
    }
    for page in PAGES {
        let page = admin.get(page).expect(200);
        assert!(page.text.contains("href=\"/ui/admin\"") && page.text.len() < 150_000);
    }
    for path in ["/ui/admin/user/99", "/ui/admin/account/99", "/ui/admin/organisation/99"] {
        admin.get(path).expect(404);
    }
}
