//! Actions on as many bundles as one may name.

use crate::{Market, assert_faults, assert_problem};
use domain::BundleId;
use serde_json::json;
use testkit::{ENGINES, at, hours_from};

const DEVICES: usize = 10;
const HOURS: i64 = 1_000;
const MOST: i64 = 10_000;

#[test]
fn ten_thousand_bundles_move_at_once_or_not_at_all() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        let kit = &market.app.testkit;
        for device in 1..DEVICES {
            kit.device(&format!("turbine {device}"), market.source);
        }
        for device in 1..=DEVICES {
            let device = domain::DeviceId(i64::try_from(device).unwrap());
            kit.readings(device, hours_from(at("2026-01-01T00:00:00Z"), HOURS), 100);
        }
        let body = json!({"metadata_id": market.metadata, "from": "2026-01-01", "to": "2026-03-01"});
        let job = market.issuer.post("/certificate/issue", &body).expect(202).json;
        assert_eq!((&job["state"], &job["issued"]), (&json!("done"), &json!(MOST)), "{job}");
        let all: Vec<BundleId> = (1..=MOST).map(BundleId).collect();

        let before = market.event();
        let mut too_many = all.clone();
        too_many.push(BundleId(MOST + 1));
        let answer = market.transfer(&too_many, &json!({}));
        assert_faults(&answer, &[("body.granular_certificate_bundle_ids", "too_long")]);
        // One that does not exist, in the place of one that does.
        let refused = market.transfer(&too_many[1..], &json!({}));
        assert_problem(&refused, 404, "bundle_missing");
        assert_eq!(refused.json["bundle_id"], MOST + 1);
        assert_eq!(market.event(), before);

        let answer = market.transfer(&all, &json!({})).expect(202);
        assert_eq!(answer.json["total_quantity"], MOST * 100);
        assert_eq!(answer.json["result"].as_array().unwrap().len(), all.len());
        assert_eq!(answer.event(), before + MOST, "one event for each bundle");
        assert_eq!((market.bundles(market.source).len(), market.bundles(market.target).len()), (0, all.len()));
    }
}
