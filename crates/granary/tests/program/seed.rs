//! `import seed`: a demonstration registry's database, made here from the shapes of its tables, is taken over.

mod random;

use crate::run::{ENGINES, Folder, Ran};
use db::testing::{Engine, TestDatabase};
use db::{Connection, Row};
use std::collections::BTreeMap;

const SCHEMA: &str = include_str!("seed/schema.sql");
const CLEAN: &str = include_str!("seed/clean.sql");
const DIRTY: &str = include_str!("seed/dirty.sql");

/// A seed's database with these rows; it goes with this.
fn seed(rows: &[&str]) -> TestDatabase {
    let database = TestDatabase::empty(Engine::Postgres);
    let mut connection = database.connect();
    connection.batch(SCHEMA).expect("the schema");
    for rows in rows {
        connection.batch(rows).expect("the rows");
    }
    database
}

/// A registry of one of the engines, and its address.
fn registry(engine: Engine) -> (Folder, TestDatabase) {
    let database = TestDatabase::empty(engine);
    let folder = Folder::new().with("DATABASE_URL", database.url().expose());
    (folder, database)
}

fn import(folder: &Folder, seed: &TestDatabase, more: &[&str]) -> Ran {
    folder.run(&[&["import", "seed", "--url", seed.url().expose()], more].concat())
}

fn rows<T>(database: &TestDatabase, sql: &str, row: impl Fn(&Row<'_>) -> db::Result<T>) -> Vec<T> {
    let mut connection: Connection = database.connect();
    connection.query(sql, &[], row).expect("rows")
}

/// `verdict: table row: text` as a map from (table, row) to what was said of it.
fn lines(ran: &Ran) -> BTreeMap<(String, String), Vec<String>> {
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for line in ran.out.lines() {
        let Some((verdict, rest)) = line.split_once(": ") else { continue };
        let Some((subject, text)) = rest.split_once(": ") else { continue };
        let (table, row) = subject.split_once(' ').expect("a table and a row");
        found.entry((table.to_owned(), row.to_owned())).or_default().push(format!("{verdict}: {text}"));
    }
    found
}

#[test]
fn a_clean_seed_is_taken_over_with_its_ids_and_goes_on() {
    for engine in ENGINES {
        let (seed, (folder, database)) = (seed(&[CLEAN]), registry(engine));
        let ran = import(&folder, &seed, &[]).ended_with(0);
        for line in [
            "registry_user              2     2         0         0        0",
            "device                     1     1         0         0        0",
            "measurementreport          4     4         0         0        0",
            "granularcertificateaction  6     0         0         0        6",
            "granularcertificatebundle  8     8         5         0        0",
        ] {
            assert!(ran.out.contains(line), "{line}: {}", ran.out);
        }
        folder.run(&["verify"]).ended_with(0);

        let bundles = rows(
            &database,
            "SELECT id, account_id, range_first, range_last, parent_id, status, beneficiary FROM bundle ORDER BY id",
            |row| {
                let numbers = [row.get::<i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                Ok((numbers, row.get::<Option<i64>>(4)?, row.get::<i64>(5)?, row.get::<Option<String>>(6)?))
            },
        );
        let alice = Some("Alice Ltd".to_owned());
        let expected = vec![
            ([10, 2, 1, 1_000], None, 8, None),
            ([11, 2, 1_001, 1_500], None, 3, Some("Carol SA".to_owned())),
            ([12, 2, 1_501, 1_800], None, 6, None),
            ([13, 2, 1_801, 1_900], None, 5, None),
            ([14, 4, 1, 250], Some(10), 8, None),
            ([15, 2, 251, 1_000], Some(10), 7, None),
            ([20, 4, 1, 100], Some(14), 2, alice),
            ([22, 4, 101, 250], Some(14), 1, None),
        ];
        assert_eq!(bundles, expected);
        let pairs = |sql: &str| rows(&database, sql, |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)));
        assert_eq!(pairs("SELECT user_id, account_id FROM account_user ORDER BY user_id"), [(3, 2), (5, 4)]);
        assert_eq!(pairs("SELECT account_id, source_account_id FROM account_whitelist"), [(4, 2)]);
        // issuer and registrar; trader
        assert_eq!(pairs("SELECT id, roles FROM registry_user ORDER BY id"), [(3, 6), (5, 16)]);
        assert!(rows(&database, "SELECT user_id FROM user_secret", |row| row.get::<i64>(0)).is_empty());

        // what was not issued there is issued here, behind what there is
        let issue = ["issue", "--metadata", "2", "--from", "2026-05-01", "--to", "2026-05-02"];
        let ran = folder.run(&issue).ended_with(0);
        assert!(ran.out.contains("bundles issued    1\n"), "{}", ran.out);
        let issued = pairs("SELECT id, range_first FROM bundle WHERE id > 22");
        assert_eq!(issued, [(23, 1_901)]);
        folder.run(&["verify"]).ended_with(0);
    }
}

#[test]
fn each_repair_and_each_refusal_is_told_by_its_row() {
    for engine in ENGINES {
        let (seed, (folder, database)) = (seed(&[CLEAN, DIRTY]), registry(engine));
        let dry = import(&folder, &seed, &["--dry-run"]).ended_with(1);
        assert!(dry.out.ends_with("A dry run: nothing was written.\n"), "{}", dry.out);
        let ran = import(&folder, &seed, &[]).ended_with(1);
        let lines = lines(&ran);
        let told = |table: &str, row: &str| {
            lines.get(&(table.to_owned(), row.to_owned())).cloned().unwrap_or_default().join("\n")
        };
        for (table, row, text) in [
            (
                "registry_user",
                "8",
                "repaired: primary_contact \"ada@example.org\" is another's: \"ada@example.org #8\"",
            ),
            ("registry_user", "8", "repaired: the role \"Emperor\" is not known"),
            ("registry_user", "9", "left out: it is deleted"),
            ("registry_user", "10", "repaired: name is missing: User 10"),
            ("account", "6", "repaired: account_name \"Wind Ltd\" is another's: \"Wind Ltd #6\""),
            ("account", "6", "repaired: user_ids names user 99, who was not taken over"),
            ("account", "6", "repaired: account_whitelist names the account itself"),
            ("account", "6", "repaired: account_whitelist names account 77, which was not taken over"),
            ("account", "7", "left out: it is deleted"),
            ("account", "8", "repaired: it is deleted and holds bundles or has devices: it stands again"),
            ("useraccountlink", "user 5, account 99", "refused: what it names was not taken over"),
            ("device", "8", "refused: meter_data_id is already used: METER-7"),
            ("device", "9", "repaired: capacity 1000.5 became 1000"),
            ("device", "10", "refused: account 99 was not taken over"),
            ("device", "12", "repaired: the energy source \"Moonlight\" is not known: other"),
            ("measurementreport", "10", "repaired: interval_usage 400.75 became 400"),
            ("measurementreport", "11", "left out: it states the same as reading 4"),
            ("measurementreport", "13", "repaired: it takes the place of reading 12"),
            ("measurementreport", "14", "refused: device 99 was not taken over"),
            ("measurementreport", "15", "refused: device 8 was not taken over"),
            ("measurementreport", "16", "refused: the energy of a device that is not storage"),
            ("measurementreport", "17", "repaired: gross_net_indicator \"?\" is not known: NET"),
            ("granularcertificatebundle", "15", "repaired: its range 252 to 1000 became 251 to 1000"),
            ("granularcertificatebundle", "30", "repaired: no reading of its interval was kept"),
            ("granularcertificatebundle", "30", "repaired: its range 0 to 100 became 1 to 100"),
            ("granularcertificatebundle", "31", "refused: 150 Wh would be live on a reading of 100 Wh"),
            ("granularcertificatebundle", "32", "refused: the parts of bundle 32 hold 120 Wh; it holds 100 Wh"),
            ("granularcertificatebundle", "33", "refused: it is of one family with bundle 32, which is refused"),
            ("granularcertificatebundle", "35", "refused: 401 Wh would be live on a reading of 400 Wh"),
            (
                "granularcertificatebundle",
                "36",
                "refused: action 20 cancelled it for Alice Ltd, and action 22 for Bob plc",
            ),
            ("granularcertificatebundle", "37", "refused: action 23 cancelled it, and it is Reserved"),
            ("granularcertificatebundle", "39", "repaired: beneficiary is missing: Wind Ltd"),
            ("granularcertificatebundle", "41", "refused: the device is not a production device"),
            ("granularcertificatebundle", "42", "refused: it is deleted or split, and there are no two bundles"),
            ("granularcertificatebundle", "43", "refused: device 99 was not taken over"),
            ("granularcertificatebundle", "44", "refused: account 99 was not taken over"),
            ("granularcertificatebundle", "45", "refused: issuance metadata 99 was not taken over"),
            ("granularcertificatebundle", "46", "refused: its certificates are not of 1 Wh"),
            ("granularcertificatebundle", "47", "repaired: created_at is missing or in the future"),
            ("granularcertificatebundle", "48", "refused: 2000001 Wh are more than the device can make"),
            ("granularcertificatebundle", "49", "repaired: its time has run out: Expired"),
            ("granularcertificatebundle", "51", "refused: its certificates begin with 50; those below 101 are taken"),
            (
                "granularcertificatebundle",
                "52",
                "refused: it was withdrawn, and its certificates were issued again as bundle 53",
            ),
        ] {
            assert!(told(table, row).contains(text), "{table} {row}: {text:?} in {:?}", told(table, row));
        }
        folder.run(&["verify"]).ended_with(0);
        let kept = rows(&database, "SELECT id FROM bundle ORDER BY id", |row| row.get::<i64>(0));
        assert_eq!(kept, [10, 11, 12, 13, 14, 15, 20, 22, 30, 39, 40, 47, 49, 50, 53]);
        // The rehearsal found the same; the time of a repair is that of its run.
        let without_time = |ran: &Ran| {
            let lines = ran.out.lines().filter(|line| !line.contains("in the future"));
            let lines: Vec<String> = lines.map(str::to_owned).collect();
            lines[..lines.len() - 2].to_vec()
        };
        assert_eq!(without_time(&dry), without_time(&ran));
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let seed = seed(&[CLEAN]);
    let folder = Folder::new();
    import(&folder, &seed, &["--dry-run"]).ended_with(0);
    assert!(!folder.path().join("data").exists(), "not even a folder for the database");
    let (folder, database) = registry(Engine::Postgres);
    import(&folder, &seed, &["--dry-run"]).ended_with(0);
    let tables = "SELECT CAST(COUNT(*) AS BIGINT) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(rows(&database, tables, |row| row.get::<i64>(0)), [0]);
    // and it says what would be in the way
    folder.run(&["migrate"]).ended_with(0);
    import(&folder, &seed, &[]).ended_with(0);
    let ran = import(&folder, &seed, &["--dry-run"]).ended_with(1);
    assert!(ran.err.contains("a seed was taken over already, by job 1"), "{}", ran.err);
}

#[test]
fn only_an_empty_registry_takes_a_seed_over() {
    let seed = seed(&[CLEAN]);
    let folder = Folder::with_demo(Engine::Sqlite);
    let ran = import(&folder, &seed, &[]).ended_with(1);
    assert!(ran.err.contains("into an empty registry only"), "{}", ran.err);
    let (folder, _database) = registry(Engine::Sqlite);
    let add = ["user", "add", "--name", "Root", "--email", "root@example.org", "--role", "registry-administrator"];
    folder.run(&add).ended_with(0);
    // user 1 is here, and the seed's begin with 3: they do not meet
    import(&folder, &seed, &[]).ended_with(0);
    folder.run(&["verify"]).ended_with(0);
}

#[test]
fn users_that_are_there_must_not_have_the_seeds_ids() {
    let seed = seed(&[CLEAN]);
    let (folder, _database) = registry(Engine::Sqlite);
    for name in ["one", "two", "three"] {
        let email = format!("{name}@example.org");
        folder.run(&["user", "add", "--name", name, "--email", &email, "--role", "auditor"]).ended_with(0);
    }
    let ran = import(&folder, &seed, &[]).ended_with(1);
    assert!(ran.err.contains("the registry has users up to id 3, and the seed's begin with 3"), "{}", ran.err);
}

#[test]
fn an_import_that_broke_off_is_not_taken_for_whole() {
    // the last row that is read cannot be: it is found when the others were taken over
    let broken = "ALTER TABLE granularcertificatebundle ALTER COLUMN bundle_quantity TYPE VARCHAR; \
        UPDATE granularcertificatebundle SET bundle_quantity = 'many' WHERE id = 13;";
    let (seed, (folder, database)) = (seed(&[CLEAN, broken]), registry(Engine::Sqlite));
    import(&folder, &seed, &[]).ended_with(1);
    let job = "SELECT state FROM job WHERE kind = 34";
    assert_eq!(rows(&database, job, |row| row.get::<i64>(0)), [3]);
    folder.run(&["verify"]).ended_with(0);
    let ran = import(&folder, &seed, &[]).ended_with(1);
    assert!(ran.err.contains("did not come to its end (job 1)"), "{}", ran.err);
}

#[test]
fn the_lines_go_into_a_file_where_one_is_named() {
    let (seed, (folder, _database)) = (seed(&[CLEAN]), registry(Engine::Sqlite));
    let ran = import(&folder, &seed, &["--report", "lines.csv"]).ended_with(0);
    assert!(!ran.out.contains("repaired:"), "{}", ran.out);
    let text = std::fs::read_to_string(folder.path().join("lines.csv")).expect("the file");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("table,row,verdict,text"));
    assert!(text.contains("granularcertificatebundle,14,repaired,its range 1 to 251 became 1 to 250\n"), "{text}");
}

#[test]
fn what_is_no_seed_is_told_apart() {
    let (folder, _database) = registry(Engine::Sqlite);
    let other = TestDatabase::empty(Engine::Postgres);
    let ran = import(&folder, &other, &[]).ended_with(1);
    assert!(ran.err.contains("it has no column registry_user.id"), "{}", ran.err);
    let file = TestDatabase::empty(Engine::Sqlite);
    let ran = import(&folder, &file, &[]).ended_with(1);
    assert!(ran.err.contains("it is not a PostgreSQL database"), "{}", ran.err);
    let ran = folder.run(&["import", "seed", "--url", "nonsense"]).ended_with(2);
    assert!(ran.err.contains("--url"), "{}", ran.err);
}

/// `SEED=17` replays the one that failed.
#[test]
fn whatever_a_demonstration_did_is_taken_over_as_it_was_meant() {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let numbers = one.map_or(1..=4, |one| one..=one);
    for number in numbers {
        let old = random::Demonstration::run(number);
        let seed = seed(&[&old.sql()]);
        let (folder, database) = registry(ENGINES[usize::try_from(number % 2).expect("0 or 1")]);
        let ran = import(&folder, &seed, &[]);
        assert_eq!(ran.code, Some(0), "SEED={number}: {}{}", ran.out, ran.err);
        let ran = folder.run(&["verify"]);
        assert_eq!(ran.code, Some(0), "SEED={number}: {}", ran.out);
        let codes = ["ACTIVE", "CANCELLED", "CLAIMED", "EXPIRED", "WITHDRAWN", "LOCKED", "RESERVED", "BUNDLE_SPLIT"];
        let code = |status: &str| i64::try_from(codes.iter().position(|code| *code == status).expect("a code") + 1);
        let found = rows(
            &database,
            "SELECT id, account_id, status, range_first, range_last, parent_id, beneficiary FROM bundle ORDER BY id",
            |row| {
                let numbers = [row.get::<i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
                Ok((numbers, row.get::<Option<i64>>(5)?, row.get::<Option<String>>(6)?))
            },
        );
        let expected = old.bundles.iter().map(|bundle| {
            let last = bundle.first + bundle.quantity - 1;
            let numbers = [bundle.id, bundle.account, code(bundle.status).expect("a small number"), bundle.first, last];
            (numbers, bundle.parent, bundle.beneficiary.clone())
        });
        let mut expected: Vec<_> = expected.collect();
        expected.sort();
        assert_eq!(found, expected, "SEED={number}");
    }
}
