//! The words, the life of a bundle, the keys.

use crate::{Browser, app};
use domain::{BundleStatus, Role};

#[test]
fn everybody_who_signed_in_finds_words_states_and_keys() {
    let app = app();
    for role in Role::ALL {
        let mut browser = Browser::of(&app, &[role], &[]);
        let page = browser.get("/ui/help").expect(200);
        for shown in ["<strong>beneficiary</strong>", "<kbd>?</kbd>", "href=\"/ui/help\" aria-current=\"page\""] {
            assert!(page.text.contains(shown), "{shown}");
        }
        for status in BundleStatus::ALL {
            assert!(page.text.contains(&format!("<th scope=\"row\">{}</th>", status.name())), "{status}");
        }
        assert!(page.text.len() < 150_000, "{}", page.text.len());
    }
    let to = Browser::new(&app).get("/ui/help").expect(303);
    assert_eq!(to.header("location"), Some("/ui/sign-in?next=%2Fui%2Fhelp"));
}
