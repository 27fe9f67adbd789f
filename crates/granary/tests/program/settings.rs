//! Where settings come from, and what is said of wrong ones.

use crate::run::Folder;

/// What `doctor` found out about the database's address.
fn database(folder: &Folder, arguments: &[&str]) -> String {
    let arguments = [&["doctor", "--json"], arguments].concat();
    folder.run(&arguments).json()[0]["found"].as_str().expect("a text").to_owned()
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_default() {
    let folder = Folder::new();
    assert!(database(&folder, &[]).ends_with("sqlite://data/granary.db"));
    folder.file(".env", "DATABASE_URL=sqlite://of-the-file.db\n");
    assert!(database(&folder, &[]).ends_with("sqlite://of-the-file.db"));
    let folder = folder.with("DATABASE_URL", "sqlite://of-the-environment.db");
    assert!(database(&folder, &[]).ends_with("sqlite://of-the-environment.db"));
    assert!(database(&folder, &["--database-url", "sqlite://of-a-flag.db"]).ends_with("sqlite://of-a-flag.db"));
}

#[test]
fn another_file_is_read_where_it_is_named() {
    let folder = Folder::new();
    folder.file(".env", "DATABASE_URL=sqlite://a.db\n").file("other.env", "DATABASE_URL=sqlite://b.db\n");
    assert!(database(&folder, &["--env-file", "other.env"]).ends_with("sqlite://b.db"));
    let ran = folder.run(&["migrate", "--env-file", "missing.env"]).ended_with(2);
    assert!(ran.err.contains("missing.env: "), "{}", ran.err);
}

#[test]
fn a_name_that_is_not_known_is_refused_with_its_line_and_the_nearest_one() {
    let folder = Folder::new();
    folder.file(".env", "# settings\n\nCERTIFICATE_EXPIRY_YEAR=3\n");
    let ran = folder.run(&["migrate"]).ended_with(2);
    assert_eq!(
        ran.err,
        "granary: .env, line 3: CERTIFICATE_EXPIRY_YEAR is not a setting; did you mean CERTIFICATE_EXPIRY_YEARS?\n"
    );
    assert!(!folder.path().join("data").exists(), "nothing was opened");
}

#[test]
fn names_that_are_for_compose_are_passed_over() {
    let folder = Folder::new();
    folder.file(".env", "PUBLISH_ADDRESS=0.0.0.0\nDATABASE_PASSWORD=s3cret\nDATABASE_URL=sqlite://of-the-file.db\n");
    assert!(database(&folder, &[]).ends_with("sqlite://of-the-file.db"));
    folder.file(".env", "DATABASE_PASSWORDS=s3cret\n");
    assert!(folder.run(&["migrate"]).ended_with(2).err.contains("DATABASE_PASSWORDS is not a setting"));
}

#[test]
fn names_of_the_demonstration_registry_are_answered_with_what_takes_their_place() {
    let folder = Folder::new();
    folder.file(".env", "POSTGRES_PASSWORD=s3cret\nJWT_SECRET_KEY=s3cret\nLOGGING_LEVEL=INFO\nCAPACITY_MARGIN=1.1\n");
    let ran = folder.run(&["verify"]).ended_with(2);
    for part in [
        "3 settings are wrong:",
        ".env, line 1: POSTGRES_PASSWORD is not a setting of Granary; write DATABASE_URL=postgres://",
        ".env, line 2: JWT_SECRET_KEY is not a setting of Granary; leave it out",
        ".env, line 3: LOGGING_LEVEL is not a setting of Granary; write LOG_LEVEL",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(!ran.err.contains("s3cret"));
}

#[test]
fn a_value_that_breaks_its_rule_is_named_with_the_rule_and_the_place() {
    let folder = Folder::new().with("CAPACITY_MARGIN", "0.9").with("ADMIN_PASSWORD", "s3cret");
    let ran = folder.run(&["serve", "--certificate-expiry-years", "99"]).ended_with(2);
    for part in [
        "CAPACITY_MARGIN must be a decimal number of at least 1, such as 1.1; it is \"0.9\" (the environment)",
        "ADMIN_PASSWORD must have 8 to 200 characters (the environment)",
        "CERTIFICATE_EXPIRY_YEARS must be a whole number from 1 to 50; it is \"99\" (--certificate-expiry-years)",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(!ran.err.contains("s3cret"));
}

#[test]
fn a_command_that_is_called_wrongly_ends_with_2() {
    let folder = Folder::new();
    for arguments in [
        &["no-such-command"][..],
        &["serve", "--no-such-flag"],
        &[],
        &["issue", "--metadata", "1", "--from", "noon", "--to", "2026-01-01"],
        &["issue", "--metadata", "1", "--from", "2026-01-02", "--to", "2026-01-01"],
        &["user", "add", "--name", "Ann", "--email", "ann@example.org", "--role", "Emperor"],
        &["import", "readings", "-", "--time-zone", "Nowhere/Land"],
    ] {
        folder.run(arguments).ended_with(2);
    }
    assert!(!folder.path().join("data").exists(), "nothing was opened");
}
