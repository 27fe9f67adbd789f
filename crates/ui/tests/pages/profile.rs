//! Password and API keys.

use crate::{Browser, app};
use domain::Role;
use testkit::http::PASSWORD;

#[test]
fn a_key_is_shown_once_works_and_is_deleted() {
    let app = app();
    let mut browser = Browser::of(&app, &[Role::Auditor], &[]);
    let form = [("name", "<nightly> export"), ("scopes", "read"), ("days", "90")];
    let page = browser.fill("/ui/profile", "/ui/profile/api-key", &form).expect(200);
    let (_, rest) = page.text.split_once("id=\"new-key\">").expect("the key is shown");
    let key = rest.split('<').next().unwrap().to_owned();
    assert!(key.starts_with("granary_") && page.text.contains("&#60;nightly&#62; export"), "{}", page.text);
    app.anonymous().with_token(&key).get("/user/me").expect(200);
    let again = browser.get("/ui/profile").expect(200);
    assert!(!again.text.contains(&key));
    let (_, rest) = again.text.split_once("/ui/profile/api-key/").expect("the key is listed");
    let id = rest.split('/').next().unwrap();
    browser.fill("/ui/profile", &format!("/ui/profile/api-key/{id}/delete"), &[]).expect(303);
    app.anonymous().with_token(&key).get("/user/me").expect(401);
    assert!(browser.get("/ui/profile").text.contains("You have no keys"));
}

#[test]
fn what_is_wrong_with_a_key_is_told_and_what_was_typed_stays() {
    let app = app();
    let mut browser = Browser::of(&app, &[Role::Auditor], &[]);
    let page = browser.fill("/ui/profile", "/ui/profile/api-key", &[("name", "without scopes")]).expect(422);
    assert!(
        page.text.contains("<strong>Scopes</strong>: Choose at least one")
            && page.text.contains("value=\"without scopes\""),
        "{}",
        page.text
    );
}

#[test]
fn a_new_password_ends_the_session() {
    let app = app();
    let mut browser = Browser::of(&app, &[Role::Auditor], &[]);
    let (old, new) = (("old_password", PASSWORD), ("new_password", "another password"));
    let differing = [old, new, ("new_password_again", "an other password")];
    let page = browser.fill("/ui/profile", "/ui/profile/password", &differing).expect(422);
    assert!(page.text.contains("The two new passwords differ"));
    let wrong = [("old_password", "wrong password"), new, ("new_password_again", new.1)];
    browser.fill("/ui/profile", "/ui/profile/password", &wrong).expect(401);
    let short = [old, ("new_password", "short"), ("new_password_again", "short")];
    let page = browser.fill("/ui/profile", "/ui/profile/password", &short).expect(422);
    assert!(page.text.contains("<strong>New password</strong>: Write at least 8 characters"), "{}", page.text);
    let right = [old, new, ("new_password_again", new.1)];
    let done = browser.fill("/ui/profile", "/ui/profile/password", &right).expect(303);
    assert_eq!(done.header("location"), Some("/ui/sign-in"));
    assert_eq!(browser.cookie("granary_session"), None);
}
