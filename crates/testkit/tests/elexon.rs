//! Half-hours are fetched from a server that answers in Elexon's shapes: what becomes of values, gaps, later settlement runs,
//! days on which the clocks change, and answers that are none.

use app::{ElexonRequest, ElexonSchedule, Fetched, IssueRequest, IssueSource, JobState, Registry};
use domain::{AccountId, DeviceId, JobId, MetadataId, Role, Roles, UserId};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use testkit::elexon::{ElexonServer, Reply, record};
use testkit::{ENGINES, Engine, TestRegistry, assert_verified, at, until};

const UNIT: &str = "T_ALDGW-1";
const DAY: &str = "2026-02-01T00:00:00Z";

struct Place {
    elexon: ElexonServer,
    test: TestRegistry,
    account: AccountId,
    device: DeviceId,
}

impl Place {
    fn on(engine: Engine) -> Self {
        Self::with(engine, false)
    }

    fn with(engine: Engine, sums_to_hour: bool) -> Self {
        let elexon = ElexonServer::start();
        let test = TestRegistry::with(engine, |settings| {
            settings.elexon = elexon.settings();
            settings.rules.sums_to_hour = sums_to_hour;
        });
        let account = test.account("Aldgate Wind");
        let device = test.unit(UNIT, account);
        Self { elexon, test, account, device }
    }

    fn registry(&self) -> &Registry {
        &self.test.registry
    }

    fn fetch(&self, from: &str, to: &str) -> Fetched {
        let request = ElexonRequest { from: at(from), to: at(to), units: Vec::new() };
        self.registry().import_elexon(&request, &mut |_| ()).expect("the registry works")
    }

    /// (start, Wh, source) of the current readings, in the order of time.
    fn readings(&self) -> Vec<(String, i64, String)> {
        let versions = store::measurement::Versions::Current;
        let mut connection = self.test.database.connect();
        let found = store::measurement::of_device(&mut connection, self.device, (None, None), versions, None, 10_000);
        let told = found.expect("the database answers").into_iter().map(|recorded| {
            let reading = recorded.measurement.reading;
            (reading.interval.start().to_string(), reading.energy_wh, recorded.source.name().to_owned())
        });
        told.collect()
    }

    fn energies(&self) -> Vec<i64> {
        self.readings().into_iter().map(|(_, energy, _)| energy).collect()
    }

    /// The job once it is over.
    fn over(&self, id: JobId) -> app::JobView {
        until("the job is over", || {
            let job = self.registry().job(&operator(), id).expect("the job is there");
            (job.state != JobState::Running).then_some(job)
        })
    }

    /// Issues from `source` for the day; gives the job once it is over.
    fn issue(&self, metadata_id: MetadataId, source: IssueSource) -> app::JobView {
        let everything = Roles::of(&Role::ALL);
        let issuer = self.test.user("issuer", &[Role::GcIssuer], &[]);
        let caller = app::Caller::signed_in(issuer, everything, [0; 32], Timestamp::MAX);
        let to = at(DAY) + SignedDuration::from_hours(24);
        let request = IssueRequest { metadata_id, from: at(DAY), to, device_ids: Vec::new() };
        let id = self.registry().issue_from(&caller, request, source).expect("the issuer may issue");
        self.over(id)
    }
}

fn operator() -> app::Caller {
    app::Caller::signed_in(UserId(0), Roles::of(&Role::ALL), [0; 32], Timestamp::MAX)
}

fn counts(fetched: &Fetched) -> (u64, u64, u64, u64) {
    let report = &fetched.report;
    (report.accepted, report.corrected, report.unchanged, report.rejected_total)
}

fn reasons(fetched: &Fetched) -> Vec<&str> {
    fetched.report.rejected.iter().map(|row| row.reason.as_str()).collect()
}

#[test]
fn half_hours_become_readings_exactly_and_once() {
    for engine in ENGINES {
        let place = Place::on(engine);
        place.elexon.has(UNIT, at(DAY), "II", &["12.345", "0", "0.0000019", "1e-3"]);
        let fetched = place.fetch(DAY, "2026-02-01T02:00:00Z");
        assert_eq!((counts(&fetched), fetched.fault.as_deref()), ((4, 0, 0, 0), None));
        assert_eq!(place.energies(), [12_345_000, 0, 1, 1_000]);
        assert_eq!(place.readings()[0].2, "elexon");
        assert_eq!(counts(&place.fetch(DAY, "2026-02-01T02:00:00Z")), (0, 0, 4, 0), "the same again");
        assert_eq!(place.elexon.asked().len(), 2);
        assert_verified(place.test.database.url());
    }
}

#[test]
fn days_on_which_the_clocks_change_have_46_and_50_half_hours() {
    let place = Place::on(Engine::Sqlite);
    for (from, to, count) in
        [("2025-03-30T00:00:00Z", "2025-03-30T23:00:00Z", 46), ("2025-10-25T23:00:00Z", "2025-10-27T00:00:00Z", 50)]
    {
        let values: Vec<String> = (1..=count).map(|n| format!("0.{n:03}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        place.elexon.has(UNIT, at(from), "RF", &values);
        let fetched = place.fetch(from, to);
        assert_eq!(counts(&fetched), (count, 0, 0, 0), "{:?}", reasons(&fetched));
    }
    let energies = place.energies();
    let expected: Vec<i64> = (1..=46).chain(1..=50).map(|n| n * 1_000).collect();
    assert_eq!(energies, expected);
}

#[test]
fn a_later_settlement_run_corrects_what_was_issued_by_the_rules_of_corrections() {
    for engine in ENGINES {
        let place = Place::on(engine);
        let metadata = place.test.metadata();
        place.elexon.has(UNIT, at(DAY), "II", &["10", "10", "10"]);
        let job = place.issue(metadata, IssueSource::Elexon);
        assert_eq!((job.state, job.progress.quantity), (JobState::Done, 30_000_000));
        place.elexon.has(UNIT, at(DAY), "SF", &["9.5", "10", "11"]);
        let fetched = place.fetch(DAY, "2026-02-01T01:30:00Z");
        assert_eq!(counts(&fetched), (0, 2, 1, 0), "{:?}", reasons(&fetched));
        assert_eq!(place.energies(), [9_500_000, 10_000_000, 11_000_000]);
        assert!(place.readings().iter().all(|(_, _, source)| source == "elexon"));
        let live: i64 = place
            .test
            .database
            .connect()
            .query_one(
                "SELECT CAST(SUM(range_last - range_first + 1) AS BIGINT) FROM bundle WHERE status = 1",
                &[],
                |row| row.get(0),
            )
            .expect("the database answers");
        assert_eq!(live, 29_500_000, "half a MWh is withdrawn");
        assert_verified(place.test.database.url());
        let request = IssueRequest {
            metadata_id: metadata,
            from: at(DAY),
            to: at("2026-02-02T00:00:00Z"),
            device_ids: Vec::new(),
        };
        let id = place.registry().issue_as_operator(request).expect("the operator may issue");
        assert_eq!(place.over(id).progress.quantity, 1_000_000, "the difference upward");
        assert_verified(place.test.database.url());
    }
}

#[test]
fn a_later_settlement_run_corrects_half_hours_that_were_summed() {
    for engine in ENGINES {
        let place = Place::with(engine, true);
        let metadata = place.test.metadata();
        place.elexon.has(UNIT, at(DAY), "II", &["10", "10", "10", "10", "10"]);
        let job = place.issue(metadata, IssueSource::Elexon);
        assert_eq!((job.progress.issued, job.progress.quantity), (2, 40_000_000));
        let lacking = job.progress.refused.iter().filter(|row| row.reason.contains("issued by the hour")).count();
        assert_eq!(lacking, 1, "the fifth waits for its hour");
        assert_eq!(counts(&place.fetch(DAY, "2026-02-01T02:30:00Z")), (0, 0, 5, 0), "the same again");
        place.elexon.has(UNIT, at(DAY), "SF", &["9.5", "10", "12", "10", "11"]);
        let fetched = place.fetch(DAY, "2026-02-01T02:30:00Z");
        assert_eq!(counts(&fetched), (0, 3, 2, 0), "{:?}", reasons(&fetched));
        assert_eq!(place.energies(), [19_500_000, 22_000_000, 11_000_000]);
        assert_eq!(counts(&place.fetch(DAY, "2026-02-01T02:30:00Z")), (0, 0, 5, 0));
        assert_verified(place.test.database.url());
    }
}

#[test]
fn what_is_negative_missing_or_a_gap_is_told_and_the_rest_stands() {
    let place = Place::on(Engine::Sqlite);
    place.elexon.has(UNIT, at(DAY), "II", &["1", "-2.124", "null", "4", "5", "6"]);
    place.elexon.lacks(UNIT, at("2026-02-01T02:00:00Z"));
    place.elexon.lacks(UNIT, at("2026-02-01T01:30:00Z"));
    let fetched = place.fetch(DAY, "2026-02-01T03:00:00Z");
    assert_eq!(counts(&fetched), (2, 0, 0, 3));
    let told = reasons(&fetched);
    assert!(told.contains(&"unit T_ALDGW-1 until 2026-02-01T01:30:00Z: the source states no quantity"), "{told:?}");
    assert!(told.contains(&"unit T_ALDGW-1 until 2026-02-01T02:30:00Z: the source has no record"), "{told:?}");
    assert!(told.iter().any(|reason| reason.contains("-2124000")), "{told:?}");
    assert_eq!(place.energies(), [1_000_000, 6_000_000]);
}

#[test]
fn an_answer_that_is_none_is_refused_and_nothing_is_taken_of_it() {
    let place = Place::on(Engine::Sqlite);
    place.elexon.has(UNIT, at(DAY), "II", &["1", "2"]);
    let good = record(UNIT, at(DAY), "1", "II");
    let json = "application/json";
    for (reply, fault) in [
        (Reply::Body("text/html", "<!doctype html><p>Sorry".to_owned()), "a page for people"),
        (Reply::Body(json, "<html></html>".to_owned()), "a page for people"),
        (Reply::Body(json, format!("[{good},")), "not whole, or not JSON"),
        (Reply::Body(json, String::new()), "not whole, or not JSON"),
        (Reply::Body(json, r#"{"message":"no"}"#.to_owned()), "not whole, or not JSON"),
        (Reply::Body(json, format!("[{good},{{}}]")), "record 2 "),
        (Reply::Body(json, format!("[{good},{}]", record("T_OTHER-1", at(DAY), "1", "II"))), "of unit T_OTHER-1"),
        (Reply::Status(404, None), "status 404"),
        (Reply::Status(302, None), "status 302"),
        (Reply::Status(429, Some(3_600)), "left alone for 3600 s"),
    ] {
        place.elexon.answers_with([reply.clone()]);
        let fetched = place.fetch(DAY, "2026-02-01T01:00:00Z");
        let told = fetched.fault.clone().unwrap_or_default();
        assert!(told.contains(fault), "{reply:?}: {told}");
        assert_eq!(counts(&fetched), (0, 0, 0, 0), "{reply:?}");
        assert_eq!(place.elexon.asked().len(), 1, "{reply:?} is asked once");
    }
    assert!(place.energies().is_empty());
}

#[test]
fn what_may_go_better_is_asked_again_after_growing_pauses() {
    let place = Place::on(Engine::Sqlite);
    place.elexon.has(UNIT, at(DAY), "II", &["1", "2"]);
    place.elexon.answers_with([Reply::Status(429, Some(7)), Reply::Status(500, None), Reply::Status(503, None)]);
    let fetched = place.fetch(DAY, "2026-02-01T01:00:00Z");
    assert_eq!((counts(&fetched), fetched.fault.as_deref()), ((2, 0, 0, 0), None));
    let between = Duration::from_millis(250);
    let seconds = Duration::from_secs;
    assert_eq!(place.elexon.pauses(), [seconds(7), between, seconds(2), between, seconds(4), between]);
    place.elexon.answers_with(vec![Reply::Status(502, None); 5]);
    let fetched = place.fetch(DAY, "2026-02-01T01:00:00Z");
    assert_eq!(fetched.fault.as_deref(), Some("the source answers with status 502"));
    assert_eq!(place.elexon.asked().len(), 4 + 5);
}

#[test]
fn a_source_that_fails_on_the_way_leaves_whole_answers_behind() {
    let place = Place::on(Engine::Sqlite);
    let values = vec!["1"; 14 * 48];
    place.elexon.has(UNIT, at(DAY), "II", &values);
    place.elexon.answers_with([
        Reply::Body("application/json", format!("[{}]", record(UNIT, at(DAY), "1", "II"))),
        Reply::Status(404, None),
    ]);
    let fetched = place.fetch(DAY, "2026-02-15T00:00:00Z");
    assert_eq!((counts(&fetched), fetched.fault.is_some()), ((1, 0, 0, 1), true));
    assert_eq!(place.energies(), [1_000_000]);
    assert_eq!(counts(&place.fetch(DAY, "2026-02-15T00:00:00Z")), (14 * 48 - 1, 0, 1, 0));
}

#[test]
fn units_that_are_no_devices_meter_are_refused_before_anything_is_asked() {
    let place = Place::on(Engine::Sqlite);
    place.test.device("farm", place.account);
    let units = vec!["T_OTHER-1".to_owned()];
    let request = ElexonRequest { from: at(DAY), to: at("2026-02-01T01:00:00Z"), units };
    let told = place.registry().import_elexon(&request, &mut |_| ()).expect_err("no device has it").to_string();
    assert_eq!(told, "no device has the meter_data_id T_OTHER-1");
    assert!(place.elexon.asked().is_empty());
    place.fetch(DAY, "2026-02-01T01:00:00Z");
    assert_eq!(
        place.elexon.asked(),
        ["/datasets/B1610/stream?from=2026-02-01T00:00Z&to=2026-02-01T00:30Z&bmUnit=T_ALDGW-1"],
        "a meter that is no unit is not asked for"
    );
}

#[test]
fn capacities_are_found_in_windows_that_the_source_accepts() {
    let place = Place::on(Engine::Sqlite);
    place.elexon.installed(UNIT, "98.5");
    let found = place.registry().elexon_capacities(&[UNIT.to_owned()]).expect("the source answers");
    assert_eq!((found[0].capacity_watts, found[0].resource.as_deref()), (98_500_000, Some("Wind Onshore")));
    let asked = place.elexon.asked();
    assert_eq!(
        asked,
        ["/datasets/IGCPU?publishDateTimeFrom=2024-03-31T00:00Z&publishDateTimeTo=2026-03-01T00:00Z&format=json"]
    );
    let missing = place.registry().elexon_capacities(&["T_OTHER-1".to_owned()]).expect("the source answers");
    assert_eq!((missing.len(), place.elexon.asked().len()), (0, 8));
}

#[test]
fn the_last_days_are_fetched_once_in_each_slot_of_all_processes() {
    for engine in ENGINES {
        let place = Place::on(engine);
        let schedule = ElexonSchedule { every_hours: 6, days: 2 };
        place.elexon.has(UNIT, at("2026-02-28T00:00:00Z"), "II", &["1", "2"]);
        let settings =
            app::Settings { elexon: place.elexon.settings(), ..TestRegistry::settings(&place.test.database) };
        let other = Registry::open(settings, place.test.time.clock()).expect("the test's database opens");
        let fetched = place.registry().fetch_if_due(schedule).expect("the registry works").expect("it is due");
        assert_eq!((fetched.report.accepted, fetched.fault), (2, None));
        assert!(other.fetch_if_due(schedule).expect("the registry works").is_none(), "the other did");
        assert!(place.registry().fetch_if_due(schedule).expect("the registry works").is_none());
        assert_eq!(place.elexon.asked().len(), 1);
        place.test.time.advance(SignedDuration::from_hours(6));
        place.elexon.answers_with([Reply::Status(404, None)]);
        let fetched = other.fetch_if_due(schedule).expect("the registry works").expect("it is due");
        assert_eq!(fetched.fault.as_deref(), Some("the source answers with status 404"));
        let paging = app::Paging { after: None, limit: 10 };
        let jobs = place.registry().jobs(&operator(), app::JobQuery::default(), paging).expect("the registry works");
        let told: Vec<_> = jobs.entries.iter().map(|job| (job.state, job.progress.accepted)).collect();
        assert_eq!(told, [(JobState::Failed, 0), (JobState::Done, 2)]);
        other.close();
    }
}
