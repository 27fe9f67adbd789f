//! `POST /change_log_level`, which changes the running program.

use crate::run::Folder;

#[test]
fn the_log_tells_as_much_as_the_administrator_asks_for() {
    let folder = Folder::new().with("ADMIN_PASSWORD", "s3cret-s3cret").with("ADMIN_EMAIL", "ann@example.org");
    let server = folder.serve(&["serve"]);
    let token = &server.sign_in("ann@example.org", "s3cret-s3cret");
    let change = |level: &str| {
        let body = format!(r#"{{"level": "{level}"}}"#);
        let (status, answer) = server.ask("POST", "/change_log_level", token, &body);
        assert_eq!((status, answer["level"].as_str()), (200, Some(level)));
    };
    let look = |path: &str| assert_eq!(server.ask("GET", path, token, "").0, 200);
    look("/health/live");
    change("DEBUG");
    look("/user/me");
    change("ERROR");
    look("/health/ready");
    let ran = server.stop("TERM").ended_with(0);
    let told = |words: &[&str]| ran.err.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(told(&["answered", "/user/me"]), "{}", ran.err);
    for path in ["/health/live", "/health/ready"] {
        assert!(!told(&["answered", path]), "{path} was answered at another level: {}", ran.err);
    }
    for level in ["DEBUG", "ERROR"] {
        assert!(told(&["log level", level, "\"user\":1"]), "the change to {level} is told: {}", ran.err);
    }
}
