//! `/job/{id}`

use crate::{Market, assert_problem};
use domain::Role;

#[test]
fn a_job_is_its_owners_and_theirs_who_may_read_everything() {
    let market = Market::new(1, 100);
    market.issuer.get("/job/1").expect(200);
    market.app.with_user(&[Role::Auditor], &[]).get("/job/1").expect(200);
    assert_problem(&market.trader.get("/job/1"), 404, "not_found");
    assert_problem(&market.issuer.get("/job/99"), 404, "not_found");
}
