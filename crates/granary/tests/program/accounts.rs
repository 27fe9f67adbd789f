//! `user add`.

use crate::run::{ENGINES, Folder};

const ANN: [&str; 8] = ["user", "add", "--name", "Ann", "--email", "ann@example.org", "--role", "Trading User"];

#[test]
fn a_user_is_added_with_a_password_that_was_made_up() {
    for engine in ENGINES {
        let folder = Folder::on(engine);
        let ran = folder.run(&ANN).ended_with(0);
        let [added, password] = ran.out.lines().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(added, "added user 1, who signs in as ann@example.org");
        assert!(password.starts_with("password, shown this once: ") && password.len() > 40, "{password}");
        let again = folder.run(&ANN).ended_with(1);
        assert!(again.err.contains("already used: ann@example.org"), "{}", again.err);
    }
}

#[test]
fn a_password_is_read_from_standard_input_and_not_told() {
    let folder = Folder::new();
    let arguments = [&ANN[..], &["--role", "gc-issuer", "--password-stdin"]].concat();
    for (password, rule) in [("short\n", "the password must have 8 to 200 characters"), ("", "the password must have")]
    {
        let ran = folder.run_with_input(&arguments, password).ended_with(2);
        assert!(ran.err.contains(rule), "{}", ran.err);
    }
    let ran = folder.run_with_input(&arguments, "long enough\n").ended_with(0);
    assert_eq!(ran.out, "added user 1, who signs in as ann@example.org\n");
    assert!(!ran.err.contains("long enough"));
}

#[test]
fn an_account_must_exist() {
    let folder = Folder::new();
    let ran = folder.run(&[&ANN[..], &["--account", "99"]].concat()).ended_with(1);
    assert!(ran.err.contains("Account with id 99 not found"), "{}", ran.err);
}
