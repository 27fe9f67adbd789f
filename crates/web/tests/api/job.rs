//! `/job/{id}`, `/job/list`

use crate::{Market, assert_faults, assert_problem};
use domain::Role;
use testkit::ENGINES;
use testkit::http::Client;

#[test]
fn a_job_is_its_owners_and_theirs_who_may_read_everything() {
    let market = Market::new(1, 100);
    market.issuer.get("/job/1").expect(200);
    market.app.with_user(&[Role::Auditor], &[]).get("/job/1").expect(200);
    assert_problem(&market.trader.get("/job/1"), 404, "not_found");
    assert_problem(&market.issuer.get("/job/99"), 404, "not_found");
}

#[test]
fn jobs_are_listed_newest_first_to_their_owner_and_to_those_who_may_read_everything() {
    for engine in ENGINES {
        let market = Market::on(engine, 1, 100);
        market.issue().expect(202);
        let meter = market.app.with_user(&[Role::MeasurementBody], &[]);
        let other = market.app.testkit.device("other", market.source);
        let text = crate::measurement::csv(other, 10_001);
        meter.with_header("content-type", "text/csv").send("POST", "/measurement/submit_readings", &text).expect(200);
        let ids = |client: &Client, query: &str| -> Vec<i64> {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = client.get(&format!("/job/list?{query}{cursor}")).expect(200).json;
                found.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()));
                let Some(next) = page["next_cursor"].as_str() else { return found };
                cursor = format!("&cursor={next}");
            }
        };
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        assert_eq!(ids(&auditor, ""), [3, 2, 1]);
        assert_eq!(ids(&auditor, "limit=2"), [3, 2, 1]);
        assert_eq!(ids(&auditor, "kind=issue"), [2, 1]);
        assert_eq!(ids(&auditor, "kind=readings&state=done"), [3]);
        assert_eq!(ids(&auditor, "state=failed"), Vec::<i64>::new());
        assert_eq!(ids(&meter, ""), [3]);
        assert_eq!(ids(&market.trader, ""), Vec::<i64>::new());
        let whole = auditor.get("/job/list?limit=1").expect(200).json;
        assert_eq!(whole["jobs"][0], meter.get("/job/3").expect(200).json);
        let answer = auditor.get("/job/list?kind=nap&state=asleep&limit=0&cursor=x");
        let faults = [
            ("query.kind", "enum"),
            ("query.state", "enum"),
            ("query.limit", "greater_than"),
            ("query.cursor", "value_error"),
        ];
        assert_faults(&answer, &faults);
    }
}
