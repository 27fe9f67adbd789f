//! Signing in and out, proofs, and what is around every page.

use crate::{Browser, app, proof};
use domain::Role;
use serde_json::json;
use testkit::http::PASSWORD;

#[test]
fn who_is_not_signed_in_is_led_to_sign_in_and_back() {
    let app = app();
    let mut browser = Browser::new(&app);
    for (address, next) in [
        ("/ui", "/ui/sign-in"),
        ("/ui/profile", "/ui/sign-in?next=%2Fui%2Fprofile"),
        ("/ui/accounts?after=1", "/ui/sign-in?next=%2Fui%2Faccounts%3Fafter%3D1"),
    ] {
        assert_eq!(browser.get(address).expect(303).header("location"), Some(next), "{address}");
    }
    app.with_user(&[Role::Auditor], &[]);
    let page = browser.get("/ui/sign-in?next=%2Fui%2Fprofile").expect(200);
    assert!(page.text.contains("name=\"next\" value=\"/ui/profile\""));
    let elsewhere = browser.get("/ui/sign-in?next=https%3A%2F%2Fevil.example").expect(200);
    assert!(elsewhere.text.contains("name=\"next\" value=\"\""));
}

#[test]
fn a_wrong_password_is_told_in_the_words_of_the_api_and_opens_nothing() {
    let app = app();
    let mut browser = Browser::new(&app);
    let wrong = [("username", "somebody@example.org"), ("password", "not this one")];
    let answer = browser.send("/ui/sign-in", &wrong).expect(401);
    assert!(answer.text.contains("Wrong name or password") && answer.text.contains("value=\"somebody@example.org\""));
    assert!(!answer.text.contains("not this one"), "a password is never shown");
    assert_eq!(browser.cookie("granary_session"), None);
}

#[test]
fn the_cookie_is_for_the_pages_only_and_out_of_reach_of_scripts() {
    let app = app();
    let mut browser = Browser::of(&app, &[Role::Auditor], &[]);
    let cookie = browser.cookie("granary_session").expect("a session").to_owned();
    browser.get("/ui/accounts").expect(200);
    let client = app.anonymous().with_header("cookie", &format!("granary_session={cookie}"));
    assert_eq!(client.get("/user/me").expect(401).problem(), "no_token");
    // And a bearer token is for the API only.
    let bearer = app.with_user(&[Role::Auditor], &[]);
    bearer.get("/ui/accounts").expect(303);
    let mut other = Browser::new(&app);
    let answer = other.send("/ui/sign-in", &[("username", "x"), ("password", PASSWORD)]).expect(401);
    assert!(answer.headers.get("set-cookie").is_none());
    let key = bearer.post("/auth/api_key/create", &json!({"name": "a program", "scopes": ["read"]})).expect(201).json;
    let cookie = format!("granary_session={}", key["api_key"].as_str().unwrap());
    app.anonymous().with_header("cookie", &cookie).get("/ui/accounts").expect(303);
}

#[test]
fn a_session_is_marked_for_its_kind_of_connection() {
    let app = app();
    let contact = "somebody@example.org";
    let roles = domain::Roles::of(&[Role::Auditor]);
    app.testkit.registry.create_user_as_operator(contact, contact, roles, None, &[], PASSWORD).unwrap();
    let form = format!("username={contact}&password={}", PASSWORD.replace(' ', "+"));
    let host = app.address().to_string();
    for (scheme, is_secure) in [("http", false), ("https", true)] {
        let client = app.anonymous().with_header("origin", &format!("{scheme}://{host}"));
        let answer = client.send("POST", "/ui/sign-in", &form).expect(303);
        let cookie = answer.headers.get_all("set-cookie").iter().next().unwrap().to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax; Path=/ui"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
    }
    let from_elsewhere = app.anonymous().with_header("origin", "https://evil.example");
    from_elsewhere.send("POST", "/ui/sign-in", &form).expect(403);
}

#[test]
fn a_form_without_the_proof_of_its_session_changes_nothing() {
    let app = app();
    let (mut browser, mut other) = (Browser::of(&app, &[Role::Auditor], &[]), Browser::of(&app, &[Role::Auditor], &[]));
    let theirs = proof(&other.get("/ui/profile").expect(200)).to_owned();
    for fields in
        [&[("theme", "dark")][..], &[("theme", "dark"), ("proof", "")], &[("theme", "dark"), ("proof", &theirs)]]
    {
        let answer = browser.send("/ui/theme", fields).expect(403);
        assert!(answer.text.contains("The form is out of date") && answer.headers.get("set-cookie").is_none());
    }
    browser.fill("/ui/profile", "/ui/theme", &[("theme", "dark")]).expect(303);
    assert_eq!(browser.cookie("granary_theme"), Some("dark"));
    assert!(browser.get("/ui/profile").expect(200).text.contains("data-theme=\"dark\""));
    // Not even with the right proof from another site.
    let cookies = format!("granary_session={}", browser.cookie("granary_session").unwrap());
    let proof = proof(&browser.get("/ui/profile")).to_owned();
    let client = app.anonymous().with_header("cookie", &cookies).with_header("sec-fetch-site", "cross-site");
    client.send("POST", "/ui/theme", &format!("theme=light&proof={proof}")).expect(403);
}

#[test]
fn signing_out_ends_the_session() {
    let app = app();
    let mut browser = Browser::of(&app, &[Role::Auditor], &[]);
    let token = browser.cookie("granary_session").unwrap().to_owned();
    let out = browser.fill("/ui/profile", "/ui/sign-out", &[]).expect(303);
    assert_eq!((out.header("location"), browser.cookie("granary_session")), (Some("/ui/sign-in?out=1"), None));
    assert!(browser.get("/ui/sign-in?out=1").expect(200).text.contains("You are signed out."));
    app.anonymous().with_header("cookie", &format!("granary_session={token}")).get("/ui/profile").expect(303);
}

#[test]
fn every_page_keeps_to_itself() {
    let app = app();
    let mut browser = Browser::of(&app, &[Role::RegistryAdministrator], &[]);
    for (path, status) in
        [("/ui/accounts", 200), ("/ui/profile", 200), ("/ui/search?q=none", 200), ("/ui/nothing", 404)]
    {
        let page = browser.get(path).expect(status);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        // Without it browsers send forms with no origin, and no session would be marked as secure.
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        assert!(!page.text.contains(" style=") && !page.text.contains(" onclick="), "{path}");
        for script in page.text.match_indices("<script") {
            assert!(page.text[script.0..].starts_with("<script src=\"/ui/assets/"), "{path}");
        }
        assert!(page.text.len() < 150_000, "{path}: {}", page.text.len());
    }
    let page = browser.get("/ui/accounts").expect(200);
    for (start, _) in page.text.match_indices("/ui/assets/") {
        let address = page.text[start..].split('"').next().unwrap();
        let asset = app.anonymous().get(address).expect(200);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{address}");
    }
    app.anonymous().get("/ui/assets/AAAAAAAAAAAAAAAA/style.css").expect(404);
}

#[test]
fn the_root_leads_to_the_screens() {
    let app = app();
    assert_eq!(app.anonymous().get("/").expect(307).header("location"), Some("/ui"));
}

#[test]
fn who_has_one_account_begins_in_it_and_who_reads_everything_chooses() {
    let app = app();
    let registry = &app.testkit;
    let (one, two) = (registry.account("One"), registry.account("Two"));
    let mut member = Browser::of(&app, &[Role::TradingUser], &[one]);
    assert_eq!(member.get("/ui").expect(303).header("location"), Some(format!("/ui/account/{}", one.0).as_str()));
    let page = member.get(&format!("/ui/account/{}", one.0)).expect(200);
    assert!(page.text.contains("<h1>One</h1>"));
    // What is another's is not there, like what does not exist.
    for path in [format!("/ui/account/{}", two.0), "/ui/account/99".to_owned()] {
        let page = member.get(&path).expect(404);
        assert!(page.text.contains("Not found") && !page.text.contains("Two"), "{path}");
    }
    let mut issuer = Browser::of(&app, &[Role::GcIssuer], &[]);
    assert_eq!(issuer.get("/ui").expect(303).header("location"), Some("/ui/accounts"));
    let page = issuer.get("/ui/accounts").expect(200);
    for shown in ["One", "Two"] {
        assert!(page.text.contains(shown), "{shown}");
    }
}
