//! The sealed bytes are those of `docs/sealed-log.md`: they equal what `scripts/sealed_vectors.py`, an implementation of
//! that page that shares no code with this one, wrote into `testdata/sealed-vectors.json`.

#![expect(clippy::unwrap_used, reason = "they read a file of this repository; what it lacks fails the test")]

use domain::bundle::Mutable;
use domain::event::{self, Entity, EventBody, EventType};
use domain::recurring_order::{OrderDeed, OrderKind, OrderState, OrderTerms, PeriodUnit};
use domain::seal::{self, Entry, Frontier, Hash, SealedAction};
use domain::storage::{Backing, Share};
use domain::{
    AccountId, ActionId, ActionKind, AllocationMethod, AttributesId, Bundle, BundleId, BundleStatus, Cancellation,
    CertificateAttributes, CertificateRange, Change, DeviceDescription, DeviceId, DeviceKind, Draw, DrawId, Efficiency,
    EnergyCarrier, EnergySource, EventNumber, GrossNet, Interval, MeasurementId, MetadataId, Portion, Quality, Ratio,
    Reading, ReadingSource, RecurringOrder, RecurringOrderId, Refusal, Schedule, Scr, ScrId, Sdr, SdrId, WattHours,
};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../testdata/sealed-vectors.json")).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not an integer: {value}"))
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a count: {value}"))
}

fn byte(value: &Value) -> u8 {
    u8::try_from(int(value)).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn instant(value: &Value) -> Timestamp {
    Timestamp::from_microsecond(int(value)).unwrap()
}

fn optional<T>(value: &Value, read: impl Fn(&Value) -> T) -> Option<T> {
    (!value.is_null()).then(|| read(value))
}

fn bytes(value: &Value) -> Vec<u8> {
    let hex = value.as_str().unwrap_or_else(|| panic!("not hex: {value}"));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap_or_else(|_| panic!("not {N} bytes: {value}"))
}

fn hash(value: &Value) -> Hash {
    fixed(value)
}

fn interval(start: &Value, end: &Value) -> Interval {
    Interval::new(instant(start), instant(end)).unwrap()
}

fn cancellation(value: &Value) -> Option<Arc<Cancellation>> {
    optional(value, |value| {
        Arc::new(Cancellation {
            beneficiary: text(&value["beneficiary"]),
            beneficiary_account: optional(&value["beneficiary_account"], int).map(AccountId),
            purpose: optional(&value["purpose"], text),
        })
    })
}

fn status(value: &Value) -> BundleStatus {
    BundleStatus::from_code(int(value)).unwrap()
}

fn mutable(value: &Value) -> Mutable {
    Mutable {
        account_id: AccountId(int(&value["account_id"])),
        status: status(&value["status"]),
        cancellation: cancellation(&value["cancellation"]),
    }
}

fn bundle(value: &Value) -> Bundle {
    Bundle {
        id: BundleId(int(&value["id"])),
        account_id: AccountId(int(&value["account_id"])),
        device_id: DeviceId(int(&value["device_id"])),
        attributes_id: AttributesId(int(&value["attributes_id"])),
        range: CertificateRange::new(count(&value["range_first"]), count(&value["range_last"])).unwrap(),
        production: interval(&value["production_start"], &value["production_end"]),
        issued_at: instant(&value["issued_at"]),
        expires_at: instant(&value["expires_at"]),
        parent_id: optional(&value["parent_id"], int).map(BundleId),
        status: status(&value["status"]),
        cancellation: cancellation(&value["cancellation"]),
        draw_id: optional(&value["draw_id"], int).map(DrawId),
        hash: [0; 32],
    }
}

fn reading(value: &Value) -> Reading {
    Reading {
        device_id: DeviceId(int(&value["device_id"])),
        interval: interval(&value["start"], &value["end"]),
        energy_wh: int(&value["energy_wh"]),
        gross_net: GrossNet::from_code(int(&value["gross_net"])).unwrap(),
        quality: Quality::from_code(int(&value["quality"])).unwrap(),
    }
}

fn attributes(value: &Value) -> CertificateAttributes {
    CertificateAttributes {
        id: AttributesId(int(&value["id"])),
        device_id: DeviceId(int(&value["device_id"])),
        device_version: int(&value["device_version"]),
        metadata_id: MetadataId(int(&value["metadata_id"])),
        energy_carrier: EnergyCarrier::from_code(int(&value["energy_carrier"])).unwrap(),
        device: DeviceDescription {
            name: text(&value["name"]),
            grid: text(&value["grid"]),
            energy_source: EnergySource::from_code(int(&value["energy_source"])).unwrap(),
            technology_type: text(&value["technology_type"]),
            operational_date: instant(&value["operational_date"]),
            capacity_watts: count(&value["capacity_watts"]),
            peak_demand_watts: count(&value["peak_demand_watts"]),
            location: text(&value["location"]),
            meter_data_id: optional(&value["meter_data_id"], text),
            kind: DeviceKind::from_code(int(&value["kind"])).unwrap(),
        },
        hash: [0; 32],
    }
}

fn order(value: &Value) -> RecurringOrder {
    let account = |member: &str| optional(&value[member], int).map(AccountId);
    let small = |value: &Value| u32::try_from(int(value)).unwrap();
    let deed = match OrderKind::from_code(int(&value["kind"])).unwrap() {
        OrderKind::Transfer => OrderDeed::Transfer { target: account("target_id").unwrap() },
        OrderKind::Cancel => OrderDeed::Cancel {
            beneficiary: optional(&value["beneficiary"], text),
            beneficiary_account: account("beneficiary_account_id"),
            purpose: optional(&value["purpose"], text),
        },
    };
    let portion = match (optional(&value["quantity"], count), optional(&value["share"], count)) {
        (Some(quantity), _) => Portion::Quantity(WattHours(quantity)),
        (None, Some(share)) => Portion::Share(Ratio::from_quintillionths(share)),
        (None, None) => Portion::Whole,
    };
    RecurringOrder {
        id: RecurringOrderId(int(&value["id"])),
        terms: OrderTerms {
            deed,
            source: account("source_id").unwrap(),
            schedule: Schedule {
                first_at: instant(&value["first_at"]),
                unit: PeriodUnit::from_code(int(&value["period_unit"])).unwrap(),
                every: small(&value["period_quantity"]),
                runs: optional(&value["runs"], small),
            },
            device: optional(&value["device_id"], int).map(DeviceId),
            energy_source: optional(&value["energy_source"], int).and_then(EnergySource::from_code),
            portion,
        },
        ordered_by: int(&value["ordered_by"]),
        created_at: instant(&value["created_at"]),
        state: OrderState::from_code(int(&value["state"])).unwrap(),
        next_due_at: optional(&value["next_due_at"], instant),
        runs_done: small(&value["runs_done"]),
    }
}

fn energy(value: &Value) -> WattHours {
    WattHours(count(value))
}

fn scr(value: &Value) -> Scr {
    let backing = optional(&value["bundle_id"], |bundle| Backing {
        bundle_id: BundleId(int(bundle)),
        energy: energy(&value["backed"]),
        // none of these is in the event
        attributes_id: AttributesId(0),
        metadata_id: MetadataId(0),
        energy_source: EnergySource::Other,
    });
    Scr {
        id: ScrId(int(&value["id"])),
        device_id: DeviceId(int(&value["device_id"])),
        interval: interval(&value["start"], &value["end"]),
        energy: energy(&value["energy"]),
        backing,
        matching_method: optional(&value["matching_method"], text),
        created_at: instant(&value["created_at"]),
        is_withdrawn: false,
        drawn: Share::default(),
    }
}

fn sdr(value: &Value) -> Sdr {
    Sdr {
        id: SdrId(int(&value["id"])),
        device_id: DeviceId(int(&value["device_id"])),
        interval: interval(&value["start"], &value["end"]),
        energy: energy(&value["energy"]),
        method: AllocationMethod::from_code(int(&value["method"])).unwrap(),
        efficiency: Efficiency {
            interval: interval(&value["efficiency_start"], &value["efficiency_end"]),
            input: energy(&value["input"]),
            output: energy(&value["output"]),
            charge_before: energy(&value["charge_before"]),
            charge_after: energy(&value["charge_after"]),
        },
        created_at: instant(&value["created_at"]),
        is_withdrawn: false,
    }
}

fn draw(value: &Value) -> Draw {
    Draw {
        id: DrawId(int(&value["id"])),
        sdr_id: SdrId(int(&value["sdr_id"])),
        scr_id: ScrId(int(&value["scr_id"])),
        taken: Share { backed: energy(&value["backed"]), unbacked: energy(&value["unbacked"]) },
        certificates: energy(&value["certificates"]),
        attributes_id: optional(&value["attributes_id"], int).map(AttributesId),
    }
}

/// The change of a storage record that an event's input describes.
fn storage_change(input: &Value) -> Option<Change> {
    let made = |member: &str| input.get(member);
    None.or_else(|| made("scr").map(|value| Change::ScrCreated(Box::new(scr(value)))))
        .or_else(|| made("sdr").map(|value| Change::SdrCreated(Box::new(sdr(value)))))
        .or_else(|| made("draw").map(|value| Change::Drawn(draw(value))))
        .or_else(|| made("scr_id").map(|id| Change::ScrWithdrawn(ScrId(int(id)))))
        .or_else(|| made("sdr_id").map(|id| Change::SdrWithdrawn(SdrId(int(id)))))
}

/// The change that an event's input describes, known by its members.
fn change(input: &Value) -> Change {
    if let Some(change) = storage_change(input) {
        return change;
    }
    if let Some(created) = input.get("bundle") {
        return Change::BundleCreated(bundle(created));
    }
    if let Some(placed) = input.get("order") {
        return Change::OrderPlaced(order(placed));
    }
    if let Some(id) = input.get("order_id") {
        return Change::OrderEnded {
            id: RecurringOrderId(int(id)),
            state: OrderState::from_code(int(&input["state"])).unwrap(),
            next_due_at: optional(&input["next_due_at"], instant),
        };
    }
    if let Some(paused) = input.get("paused") {
        let before = order(paused);
        return Change::OrderChanged { after: Box::new(before.paused()), before: Box::new(before) };
    }
    if let Some(ran) = input.get("ran") {
        let before = order(ran);
        let refused = |id| Box::new(Refusal::NothingMatches { source_id: AccountId(id) });
        let done = match optional(&input["refused_of"], int) {
            None => Ok(WattHours(count(&input["energy"]))),
            Some(source) => Err(refused(source)),
        };
        let after = Box::new(before.after_run(false));
        return Change::OrderRan { after, ran_at: before.created_at, before: Box::new(before), done };
    }
    if let Some(id) = input.get("bundle_id") {
        return Change::BundleChanged {
            id: BundleId(int(id)),
            before: mutable(&input["was"]),
            after: mutable(&input["is"]),
        };
    }
    if let Some(readings) = input.get("readings") {
        return Change::ReadingsAccepted {
            first: MeasurementId(int(&input["first"])),
            readings: list(readings).iter().map(reading).collect(),
            source: ReadingSource::from_code(int(&input["source"])).unwrap(),
        };
    }
    if let Some(id) = input.get("deleted") {
        return Change::ReadingDeleted(MeasurementId(int(id)));
    }
    if let Some(energy) = input.get("released") {
        return Change::HoldReleased {
            id: MeasurementId(int(&input["id"])),
            device: DeviceId(int(&input["device_id"])),
            start: instant(&input["start"]),
            energy: WattHours(count(energy)),
        };
    }
    Change::ReadingSuperseded { id: MeasurementId(int(&input["id"])), by: MeasurementId(int(&input["by"])) }
}

#[test]
fn texts_hash_as_documented() {
    for vector in list(&vectors()["text_hash"]) {
        let found = seal::text_hash(&fixed(&vector["salt"]), &text(&vector["text"]));
        assert_eq!(found, hash(&vector["hash"]), "{vector}");
    }
}

#[test]
fn actions_hash_as_documented() {
    for vector in list(&vectors()["action_hash"]) {
        let found = seal::action_hash(&SealedAction {
            id: ActionId(int(&vector["id"])),
            kind: ActionKind::from_code(int(&vector["kind"])).unwrap(),
            actor: int(&vector["actor"]),
            requested_at: instant(&vector["requested_at"]),
            salt: &fixed(&vector["salt"]),
            request: &text(&vector["request"]),
        });
        assert_eq!(found, hash(&vector["hash"]), "{vector}");
    }
}

#[test]
fn leaves_hash_and_chain_as_documented() {
    let mut previous = seal::NO_HASH;
    for vector in list(&vectors()["leaf_hash"]) {
        assert_eq!(previous, hash(&vector["previous"]), "{vector}");
        previous = seal::leaf_hash(&Entry {
            number: EventNumber(int(&vector["number"])),
            recorded_at: instant(&vector["recorded_at"]),
            action_id: ActionId(int(&vector["action_id"])),
            action_hash: &hash(&vector["action_hash"]),
            entity: byte(&vector["entity"]),
            entity_id: int(&vector["entity_id"]),
            event_type: byte(&vector["event_type"]),
            salt: &fixed(&vector["salt"]),
            before: &bytes(&vector["before"]),
            after: &bytes(&vector["after"]),
            previous: &previous,
        });
        assert_eq!(previous, hash(&vector["leaf"]), "{vector}");
    }
}

#[test]
fn trees_have_the_documented_roots_and_peaks() {
    let mut sizes = Vec::new();
    for vector in list(&vectors()["frontier"]) {
        let mut frontier = Frontier::default();
        for leaf in list(&vector["leaves"]) {
            frontier.append(hash(leaf));
        }
        assert_eq!(frontier.to_bytes(), bytes(&vector["peaks"]), "{vector}");
        assert_eq!(frontier.root(), hash(&vector["root"]), "{vector}");
        sizes.push(frontier.size());
    }
    assert_eq!(sizes, [0, 1, 2, 3, 5, 8]);
}

#[test]
fn attributes_hash_as_documented() {
    for vector in list(&vectors()["attributes_hash"]) {
        assert_eq!(seal::attributes_hash(&attributes(vector)), hash(&vector["hash"]), "{vector}");
    }
}

#[test]
fn bundles_and_their_children_hash_as_documented() {
    let vectors = vectors();
    let root = &vectors["bundle_hash"];
    let found = seal::bundle_hash(&bundle(&root["bundle"]), &hash(&root["attributes_hash"]));
    assert_eq!(found, hash(&root["hash"]));
    let discharged = &vectors["sdgc_hash"];
    let (charged, storage) = (&discharged["attributes_hash"], &discharged["storage_attributes_hash"]);
    let bundle_of = bundle(&discharged["bundle"]);
    let hashed = seal::sdgc_hash(&bundle_of, &hash(charged), &hash(storage), bundle_of.draw_id.unwrap());
    assert_eq!(hashed, hash(&discharged["hash"]));
    let child = &vectors["child_hash"];
    assert_eq!(hash(&child["parent_hash"]), found);
    assert_eq!(seal::child_hash(&bundle(&child["bundle"]), &found), hash(&child["hash"]));
}

#[test]
fn events_are_written_as_documented() {
    for vector in list(&vectors()["events"]) {
        let expected = EventBody {
            entity: Entity::from_code(int(&vector["entity"])).unwrap(),
            entity_id: int(&vector["entity_id"]),
            event_type: EventType::from_code(int(&vector["event_type"])).unwrap(),
            before: bytes(&vector["before"]),
            after: bytes(&vector["after"]),
        };
        assert_eq!(event::body_of(&change(&vector["input"]), &fixed(&vector["salt"])), expected, "{}", vector["name"]);
    }
}
