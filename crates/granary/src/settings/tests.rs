//! Rules of settings as tables; precedence and the file are also tested through the built program.

use super::*;
use std::io::Write as _;

fn read(flags: &Flags, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let environment: BTreeMap<_, _> = environment.iter().copied().collect();
    let of = |name: &str| environment.get(name).map(|text| Ok((*text).to_owned()));
    Settings::from_layers(flags, of, Defaults::Usual).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// Flags that name a file with this text.
fn file(text: &str) -> (tempfile::NamedTempFile, Flags) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let flags = Flags { env_file: Some(file.path().to_owned()), ..Flags::default() };
    (file, flags)
}

/// Flags that read no `.env`, whatever is in the working directory.
fn nothing() -> (tempfile::NamedTempFile, Flags) {
    file("")
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let (_file, mut flags) = file("LISTEN=127.0.0.1:1\nCAPACITY_MARGIN=1.3\nCERTIFICATE_EXPIRY_YEARS=4\n");
    flags.listen = Some("127.0.0.1:3".to_owned());
    let settings = read(&flags, &[("LISTEN", "127.0.0.1:2"), ("CAPACITY_MARGIN", "1.2")]).unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!(settings.rules.capacity_margin.to_string(), "1.2");
    assert_eq!(settings.rules.expiry_years, 4);
    assert_eq!(settings.query_period_days_max, 30);
}

#[test]
fn an_empty_value_is_the_default() {
    let (_file, flags) = file("CERTIFICATE_EXPIRY_YEARS=4\nADMIN_PASSWORD=\n");
    let settings = read(&flags, &[("CERTIFICATE_EXPIRY_YEARS", "")]).unwrap();
    assert_eq!(settings.rules.expiry_years, 2);
    assert!(settings.admin_password.is_none());
}

#[test]
fn values_that_break_their_rule_are_named_with_it() {
    for (name, value, rule) in [
        ("LISTEN", "8000", "must be an address and a port"),
        ("DATABASE_URL", "mysql://x", "must begin with sqlite://"),
        ("ADMIN_PASSWORD", "short", "must have 8 to 200 characters"),
        ("ADMIN_EMAIL", "a\u{202e}b", "must not contain control or bidirectional characters"),
        ("CERTIFICATE_EXPIRY_YEARS", "0", "must be a whole number from 1 to 50"),
        ("CERTIFICATE_EXPIRY_YEARS", "51", "must be a whole number from 1 to 50"),
        ("CERTIFICATE_GRANULARITY_HOURS", "1.01", "at most 1"),
        ("CERTIFICATE_GRANULARITY_HOURS", "0.01", "at least a minute"),
        ("CERTIFICATE_GRANULARITY_HOURS", "0", "at least a minute"),
        ("CAPACITY_MARGIN", "0.999999999999999999", "at least 1"),
        ("SUM_READINGS_TO_HOUR", "yes", "must be true or false"),
        ("CAPACITY_MARGIN", "1,1", "must be a decimal number"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0", "from 1 to 43200"),
        ("QUERY_PERIOD_DAYS_MAX", "many", "from 1 to 3660"),
        ("ELEXON_URL", "data.elexon.co.uk", "must be an address such as https://"),
        ("ELEXON_URL", "https://user:s3cret@data.elexon.co.uk", "must be an address such as https://"),
        ("ELEXON_EVERY_HOURS", "0", "from 1 to 672"),
        ("ELEXON_DAYS", "901", "from 1 to 900"),
        ("LOG_LEVEL", "LOUD", "must be DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("LOG_FORMAT", "xml", "must be text or json"),
    ] {
        let faults = read(&nothing().1, &[(name, value)]).map(|_| ()).unwrap_err();
        let [fault] = faults.as_slice() else { panic!("{name}={value}: {faults:?}") };
        assert!(fault.starts_with(name) && fault.contains(rule), "{name}={value}: {fault}");
        assert!(fault.ends_with("(the environment)"), "{fault}");
    }
}

#[test]
fn hours_are_summed_only_where_certificates_may_be_of_an_hour() {
    let sums = |environment: &[(&str, &str)]| read(&nothing().1, environment).map(|read| read.rules.sums_to_hour);
    assert_eq!((sums(&[]), sums(&[("SUM_READINGS_TO_HOUR", "True")])), (Ok(false), Ok(true)));
    let faults = sums(&[("SUM_READINGS_TO_HOUR", "true"), ("CERTIFICATE_GRANULARITY_HOURS", "0.5")]).unwrap_err();
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert!(fault.starts_with("SUM_READINGS_TO_HOUR must be false where"), "{fault}");
}

#[test]
fn values_at_the_edge_of_their_rule_are_taken() {
    let years = |text| read(&nothing().1, &[("CERTIFICATE_EXPIRY_YEARS", text)]).unwrap().rules.expiry_years;
    assert_eq!((years("1"), years("50")), (1, 50));
    for (text, seconds) in [("1", 3_600), ("1.0", 3_600), ("0.25", 900), ("0.5", 1_800)] {
        let settings = read(&nothing().1, &[("CERTIFICATE_GRANULARITY_HOURS", text)]).unwrap();
        assert_eq!(settings.rules.interval_max, SignedDuration::from_secs(seconds), "{text}");
    }
    for (text, fraction) in [("1", (1, 1)), ("1.0", (1, 1)), ("1.10", (11, 10)), ("2.5", (25, 10))] {
        let settings = read(&nothing().1, &[("CAPACITY_MARGIN", text)]).unwrap();
        assert_eq!(fraction_of(settings.rules.capacity_margin), fraction, "{text}");
    }
}

#[test]
fn a_replica_needs_postgresql() {
    let replica = ("DATABASE_READ_URL", "postgres://a@replica/granary");
    let faults = read(&nothing().1, &[replica]).map(|_| ()).unwrap_err();
    assert!(faults[0].starts_with("DATABASE_READ_URL is for a replica of PostgreSQL"), "{faults:?}");
    assert!(read(&nothing().1, &[replica, ("DATABASE_URL", "postgres://a@primary/granary")]).is_ok());
}

#[test]
fn lines_of_the_file_are_read_as_a_shell_would_and_never_replaced() {
    let (_file, flags) = file(
        "\u{feff}# a comment\n\n  export ADMIN_EMAIL = \"ann@example.org\" # hers\nADMIN_PASSWORD='pa$$ word # 1'\n",
    );
    let settings = read(&flags, &[]).unwrap();
    assert_eq!(settings.admin_email, "ann@example.org");
    assert_eq!(settings.admin_password.unwrap().0, "pa$$ word # 1");
}

#[test]
fn bad_lines_are_all_told_with_their_number_and_without_secrets() {
    let (_file, flags) = file(
        "LISTN=1\nADMIN_PASSWORD=s3cret$HOME\nADMIN_PASSWORD='s3cret\nnonsense s3cret\ns3cret=\nPOSTGRES_PASSWORD=s3cret\n\
         LOG_FORMAT=json\nLOG_FORMAT=text\nS3CRET-PART=1\n",
    );
    let faults = read(&flags, &[]).map(|_| ()).unwrap_err();
    let expected = [
        "line 1: LISTN is not a setting; did you mean LISTEN?",
        "line 2: ADMIN_PASSWORD holds a $; put its value into single quotes",
        "line 3: ADMIN_PASSWORD cannot be read",
        "line 4: must be NAME=value",
        "line 5: s3cret is not a setting",
        "line 6: POSTGRES_PASSWORD is not a setting of Granary; write DATABASE_URL=",
        "line 8: LOG_FORMAT was stated in line 7 already",
        "line 9: must be NAME=value",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "{fault} / {expected}");
        assert!(!fault.contains("s3cret$") && !fault.contains("=s3cret"), "{fault}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let flags = Flags { env_file: Some("/nowhere/at/all.env".into()), ..Flags::default() };
    assert!(read(&flags, &[]).map(|_| ()).unwrap_err()[0].starts_with("/nowhere/at/all.env: "));
}

#[test]
fn the_demo_has_a_database_and_an_address_of_its_own() {
    let demo = |environment: &[(&str, &str)]| {
        let of = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, text)| Ok((*text).to_owned()));
        Settings::from_layers(&nothing().1, of, Defaults::Demo)
    };
    assert_eq!(demo(&[]).unwrap().database.to_string(), "sqlite://data/demo.db");
    assert_eq!(demo(&[("DATABASE_URL", "sqlite://x.db")]).unwrap().database.to_string(), "sqlite://x.db");
    let faults = demo(&[("LISTEN", "0.0.0.0:8000")]).map(|_| ()).unwrap_err();
    assert!(faults[0].to_string().contains("loopback"), "{faults:?}");
}

#[test]
fn a_password_is_not_shown() {
    let settings =
        read(&nothing().1, &[("ADMIN_PASSWORD", "s3cret-s3cret"), ("DATABASE_URL", "postgres://ann:s3cret@db/ledger")]);
    assert!(!format!("{settings:?}").contains("s3cret"));
}
