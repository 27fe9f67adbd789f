#!/usr/bin/env python3
"""Writes crates/domain/testdata/sealed-vectors.json: inputs and the bytes and hashes that docs/sealed-log.md makes of them.

This is a second implementation of that page and shares no code with the registry, so that a test which compares the two
finds a mistake in either. It needs Python 3.9 and nothing else. Instants are microseconds since 1970 (UTC), bytes are hex.

    scripts/sealed_vectors.py            writes the file
    scripts/sealed_vectors.py --check    fails if the file differs from what would be written
"""

import hashlib
import json
import pathlib
import sys

TARGET = pathlib.Path(__file__).resolve().parent.parent / "crates/domain/testdata/sealed-vectors.json"

NO_HASH = bytes(32)


# Plain encodings


def sha256(data):
    return hashlib.sha256(data).digest()


def i64(value):
    return value.to_bytes(8, "big", signed=True)


def u64(value):
    return value.to_bytes(8, "big")


def sized(data):
    """Length in 32 bits, then the bytes."""
    return len(data).to_bytes(4, "big") + data


def optional(text):
    return b"\x00" if text is None else b"\x01" + sized(text.encode())


# Hashes


def text_hash(salt, text):
    return sha256(b"granary.text" + b"\x01" + salt + sized(text.encode()))


def action_hash(action):
    return sha256(
        b"granary.action"
        + b"\x01"
        + i64(action["id"])
        + i64(action["kind"])
        + i64(action["actor"])
        + i64(action["requested_at"])
        + bytes.fromhex(action["salt"])
        + sized(action["request"].encode())
    )


def entry_bytes(entry):
    """What the leaf of the tree is made of, without the prefix of a leaf."""
    return (
        b"granary.event"
        + b"\x01"
        + i64(entry["number"])
        + i64(entry["recorded_at"])
        + i64(entry["action_id"])
        + bytes.fromhex(entry["action_hash"])
        + bytes([entry["entity"]])
        + i64(entry["entity_id"])
        + bytes([entry["event_type"]])
        + bytes.fromhex(entry["salt"])
        + sized(bytes.fromhex(entry["before"]))
        + sized(bytes.fromhex(entry["after"]))
        + bytes.fromhex(entry["previous"])
    )


def leaf_hash(entry):
    return sha256(b"\x00" + entry_bytes(entry))


def tree_hash(leaves):
    """RFC 6962, section 2.1, of leaves that are hashes already."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + tree_hash(leaves[:half]) + tree_hash(leaves[half:]))


def peaks(leaves):
    """The roots of the perfect subtrees, from the left, which is the largest first."""
    found = []
    start = 0
    for bit in reversed(range(len(leaves).bit_length())):
        size = 1 << bit
        if len(leaves) & size:
            found.append(tree_hash(leaves[start : start + size]))
            start += size
    return found


def attributes_hash(attributes):
    return sha256(
        b"granary.attributes"
        + b"\x01"
        + i64(attributes["device_id"])
        + i64(attributes["device_version"])
        + i64(attributes["metadata_id"])
        + i64(attributes["energy_carrier"])
        + optional(attributes["name"])
        + optional(attributes["grid"])
        + i64(attributes["energy_source"])
        + optional(attributes["technology_type"])
        + i64(attributes["operational_date"])
        + u64(attributes["capacity_watts"])
        + u64(attributes["peak_demand_watts"])
        + optional(attributes["location"])
        + optional(attributes["meter_data_id"])
        + i64(attributes["kind"])
    )


def bundle_core(bundle):
    return (
        i64(bundle["id"])
        + i64(bundle["device_id"])
        + u64(bundle["range_first"])
        + u64(bundle["range_last"])
        + i64(bundle["production_start"])
        + i64(bundle["production_end"])
        + i64(bundle["issued_at"])
        + i64(bundle["expires_at"])
    )


def bundle_hash(bundle, attributes):
    return sha256(b"granary.bundle" + b"\x01" + bundle_core(bundle) + attributes)


def sdgc_hash(bundle, attributes, storage):
    return sha256(
        b"granary.bundle.storage" + b"\x01" + bundle_core(bundle) + attributes + storage + i64(bundle["draw_id"])
    )


def child_hash(child, parent):
    return sha256(b"granary.bundle.child" + b"\x01" + bundle_core(child) + i64(child["parent_id"]) + parent)


# Fields of an event


def shortest(value):
    """Big-endian two's complement in as few bytes as can be; zero is no byte at all."""
    if value == 0:
        return b""
    bits = (value if value > 0 else value + 1).bit_length() + 1
    return value.to_bytes((bits + 7) // 8, "big", signed=True)


def leb128(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(tag, value):
    return bytes([tag]) + leb128(len(value)) + value


def integer(tag, value):
    return field(tag, shortest(value))


def hashed(tag, salt, text):
    return field(tag, text_hash(salt, text))


def integers(tag, values):
    return field(tag, b"".join(leb128(len(shortest(v))) + shortest(v) for v in values))


def cancellation_fields(salt, cancellation):
    if cancellation is None:
        return b""
    out = hashed(3, salt, cancellation["beneficiary"])
    if cancellation["beneficiary_account"] is not None:
        out += integer(4, cancellation["beneficiary_account"])
    if cancellation["purpose"] is not None:
        out += hashed(5, salt, cancellation["purpose"])
    return out


def bundle_fields(salt, bundle):
    out = integer(1, bundle["account_id"]) + integer(2, bundle["status"])
    out += cancellation_fields(salt, bundle["cancellation"])
    out += integer(6, bundle["device_id"]) + integer(7, bundle["attributes_id"])
    out += integer(8, bundle["range_first"]) + integer(9, bundle["range_last"])
    out += integer(10, bundle["production_start"]) + integer(11, bundle["production_end"])
    out += integer(12, bundle["issued_at"]) + integer(13, bundle["expires_at"])
    if bundle["parent_id"] is not None:
        out += integer(14, bundle["parent_id"])
    if bundle["draw_id"] is not None:
        out += integer(15, bundle["draw_id"])
    return out


def bundle_change_fields(salt, before, after):
    def side(of):
        out = b""
        if before["account_id"] != after["account_id"]:
            out += integer(1, of["account_id"])
        if before["status"] != after["status"]:
            out += integer(2, of["status"])
        if before["cancellation"] != after["cancellation"]:
            out += cancellation_fields(salt, of["cancellation"])
        return out

    return side(before), side(after)


def readings_fields(readings, source):
    flat = []
    for r in readings:
        flat += [r["device_id"], r["start"], r["end"] - r["start"], r["energy_wh"], r["gross_net"], r["quality"]]
    return integers(1, flat) + integer(2, source)


def order_fields(salt, order):
    """The fields of a recurring order, in the order of their tags."""
    texts = {4: "beneficiary", 6: "purpose"}
    numbers = {
        1: "kind",
        2: "source_id",
        3: "target_id",
        5: "beneficiary_account_id",
        7: "first_at",
        8: "period_unit",
        9: "period_quantity",
        10: "runs",
        11: "device_id",
        12: "energy_source",
        13: "quantity",
        14: "share",
        15: "state",
        16: "ordered_by",
        17: "created_at",
        18: "next_due_at",
        19: "runs_done",
    }
    out = b""
    for tag in range(1, 20):
        if tag in texts and order[texts[tag]] is not None:
            out += hashed(tag, salt, order[texts[tag]])
        if tag in numbers and order[numbers[tag]] is not None:
            out += integer(tag, order[numbers[tag]])
    return out


def record_fields(salt, record, names, texts=()):
    """Fields whose tags count from 1 in the order of `names`."""
    out = b""
    for tag, name in enumerate(names, start=1):
        if record[name] is None:
            continue
        out += hashed(tag, salt, record[name]) if name in texts else integer(tag, record[name])
    return out


# Inputs

HOUR = 3_600_000_000
NOON = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z


def salt_of(number):
    return sha256(b"salt %d" % number)[:16]


ATTRIBUTES = {
    "id": 1,
    "device_id": 7,
    "device_version": 3,
    "metadata_id": 2,
    "energy_carrier": 1,
    "name": "Windpark Öre 1",
    "grid": "NESO",
    "energy_source": 2,
    "technology_type": "onshore",
    "operational_date": -86_400_000_000,
    "capacity_watts": 12_500_000,
    "peak_demand_watts": 0,
    "location": "57.5, -3.2",
    "meter_data_id": "E_MOWEO-1",
    "kind": 1,
}

CANCELLATION = {"beneficiary": "Bäckerei Sauer", "beneficiary_account": 12, "purpose": None}

BUNDLE = {
    "id": 41,
    "account_id": 5,
    "status": 1,
    "cancellation": None,
    "device_id": 7,
    "attributes_id": 1,
    "range_first": 1_001,
    "range_last": 9_000_000,
    "production_start": NOON,
    "production_end": NOON + HOUR,
    "issued_at": NOON + 2 * HOUR + 1,
    "expires_at": 1_830_344_400_000_000,  # 2028-01-01T13:00:00Z
    "parent_id": None,
    "draw_id": None,
}

CHILD = {**BUNDLE, "id": 42, "range_last": 1_128, "parent_id": 41, "status": 2, "cancellation": CANCELLATION}

SDGC = {**BUNDLE, "id": 90, "device_id": 31, "range_first": 1, "range_last": 540_000, "draw_id": 200}

SCR = {
    "id": 4,
    "device_id": 31,
    "start": NOON,
    "end": NOON + HOUR,
    "energy": 600_000,
    "bundle_id": 42,
    "backed": 128,
    "matching_method": "Gebotszone",
    "created_at": NOON + 2 * HOUR,
}
UNBACKED = {**SCR, "id": 5, "bundle_id": None, "backed": None, "matching_method": None}
SCR_NAMES = ("device_id", "start", "end", "energy", "bundle_id", "backed", "matching_method", "created_at")

SDR = {
    "id": 300,
    "device_id": 31,
    "start": NOON + 6 * HOUR,
    "end": NOON + 7 * HOUR,
    "energy": 720_000,
    "method": 3,
    "efficiency_start": NOON - 720 * HOUR,
    "efficiency_end": NOON,
    "input": 5_000_000,
    "output": 4_400_000,
    "charge_before": 0,
    "charge_after": 100_000,
    "created_at": NOON + 8 * HOUR,
}
SDR_NAMES = tuple(name for name in SDR if name != "id")

DRAW = {"id": 200, "sdr_id": 300, "scr_id": 4, "backed": 128, "unbacked": 0, "certificates": 115, "attributes_id": 9}
WITHOUT = {**DRAW, "id": 201, "scr_id": 5, "backed": 0, "unbacked": 255, "certificates": 0, "attributes_id": None}
DRAW_NAMES = tuple(name for name in DRAW if name != "id")

READINGS = [
    {"device_id": 7, "start": NOON, "end": NOON + HOUR, "energy_wh": 8_999_000, "gross_net": 2, "quality": 1},
    {"device_id": 7, "start": NOON + HOUR, "end": NOON + HOUR + 900_000_000, "energy_wh": 0, "gross_net": 2, "quality": 2},
    {"device_id": 300, "start": -HOUR, "end": 0, "energy_wh": -128, "gross_net": 1, "quality": 3},
]

# An eighth of each bundle, every two weeks until it is ended.
ORDER = {
    "id": 3,
    "kind": 2,
    "source_id": 5,
    "target_id": None,
    "beneficiary": "Bäckerei Sauer",
    "beneficiary_account_id": 200,
    "purpose": "bread",
    "first_at": NOON,
    "period_unit": 2,
    "period_quantity": 2,
    "runs": None,
    "device_id": 7,
    "energy_source": None,
    "quantity": None,
    "share": 125_000_000_000_000_000,
    "state": 1,
    "ordered_by": 3,
    "created_at": NOON - HOUR,
    "next_due_at": NOON,
    "runs_done": 0,
}
NOTHING = dict.fromkeys(("beneficiary", "beneficiary_account_id", "purpose", "device_id", "share"))
# 1,000 Wh of wind a month, twelve times.
TRANSFER_ORDER = {
    **ORDER,
    **NOTHING,
    "id": 4,
    "kind": 1,
    "target_id": 12,
    "period_unit": 3,
    "period_quantity": 1,
    "runs": 12,
    "energy_source": 2,
    "quantity": 1_000,
}

CREATE, UPDATE, DELETE = 1, 2, 3
MEASUREMENT, BUNDLE_ENTITY, ORDER_ENTITY, SCR_ENTITY, SDR_ENTITY, DRAW_ENTITY = 4, 5, 9, 10, 11, 12


def mutable(account_id, status, cancellation=None):
    return {"account_id": account_id, "status": status, "cancellation": cancellation}


def events():
    """(name, entity, entity id, event type, salt, input, before, after)"""

    def create(name, number, bundle):
        salt = salt_of(number)
        given = {"bundle": bundle}
        return name, BUNDLE_ENTITY, bundle["id"], CREATE, salt, given, b"", bundle_fields(salt, bundle)

    def change(name, number, bundle_id, before, after):
        salt = salt_of(number)
        given = {"bundle_id": bundle_id, "was": before, "is": after}
        sides = bundle_change_fields(salt, before, after)
        return (name, BUNDLE_ENTITY, bundle_id, UPDATE, salt, given, *sides)

    with_purpose = {"beneficiary": "Sauer", "beneficiary_account": None, "purpose": "storage"}
    readings = {"first": 130, "source": 1, "readings": READINGS}
    yield create("bundle created", 1, BUNDLE)
    yield change("bundle cancelled", 2, 41, mutable(5, 1), mutable(5, 2, CANCELLATION))
    yield "readings accepted", MEASUREMENT, 130, CREATE, salt_of(3), readings, b"", readings_fields(READINGS, 1)
    yield change("bundle transferred", 4, 41, mutable(5, 1), mutable(200, 1))
    yield change("bundle cancelled for storage", 5, 300, mutable(5, 1), mutable(5, 2, with_purpose))
    yield change("bundle claimed", 6, 41, mutable(5, 2, CANCELLATION), mutable(5, 3, CANCELLATION))
    yield create("child of a split created", 7, CHILD)
    yield "reading superseded", MEASUREMENT, 130, UPDATE, salt_of(8), {"id": 130, "by": 255}, b"", integer(3, 255)
    for number, order in ((9, ORDER), (10, TRANSFER_ORDER)):
        salt = salt_of(number)
        fields = order_fields(salt, order)
        yield "recurring order placed", ORDER_ENTITY, order["id"], CREATE, salt, {"order": order}, b"", fields
    ended = {"order_id": 3, "state": 1, "next_due_at": NOON}
    before = integer(15, 1) + integer(18, NOON)
    yield "recurring order ended", ORDER_ENTITY, 3, UPDATE, salt_of(11), ended, before, integer(15, 3)
    yield "reading deleted", MEASUREMENT, 131, DELETE, salt_of(12), {"deleted": 131}, b"", b""
    released = {"released": 400, "id": 255, "device_id": 7, "start": NOON}
    yield "hold released", MEASUREMENT, 255, UPDATE, salt_of(13), released, b"", integer(4, 400)
    yield "recurring order paused", ORDER_ENTITY, 3, UPDATE, salt_of(14), {"paused": ORDER}, integer(15, 1), integer(15, 2)
    # a month later it is due again
    before = integer(18, NOON) + integer(19, 0)
    after = integer(18, NOON + 31 * 24 * HOUR) + integer(19, 1)
    ran = {"ran": TRANSFER_ORDER, "energy": 1_000, "refused_of": None}
    yield "recurring order ran", ORDER_ENTITY, 4, UPDATE, salt_of(15), ran, before, after + integer(21, 1_000)
    refused = {"ran": TRANSFER_ORDER, "energy": None, "refused_of": 5}
    why = hashed(20, salt_of(16), "Account 5 holds nothing Active that matches")
    yield "recurring order ran in vain", ORDER_ENTITY, 4, UPDATE, salt_of(16), refused, before, after + why
    yield create("bundle issued on a discharge", 14, SDGC)
    records = (
        ("charge recorded", 15, SCR_ENTITY, "scr", SCR, SCR_NAMES),
        ("charge without certificates recorded", 16, SCR_ENTITY, "scr", UNBACKED, SCR_NAMES),
        ("discharge recorded", 17, SDR_ENTITY, "sdr", SDR, SDR_NAMES),
        ("charge drawn", 18, DRAW_ENTITY, "draw", DRAW, DRAW_NAMES),
        ("charge without certificates drawn", 19, DRAW_ENTITY, "draw", WITHOUT, DRAW_NAMES),
    )
    for name, number, entity, member, record, names in records:
        salt = salt_of(number)
        fields = record_fields(salt, record, names, texts=("matching_method",))
        yield name, entity, record["id"], CREATE, salt, {member: record}, b"", fields
    yield "charge withdrawn", SCR_ENTITY, 4, DELETE, salt_of(20), {"scr_id": 4}, b"", b""
    yield "discharge withdrawn", SDR_ENTITY, 300, DELETE, salt_of(21), {"sdr_id": 300}, b"", b""


def vectors():
    made = [
        {
            "name": name,
            "entity": entity,
            "entity_id": entity_id,
            "event_type": event_type,
            "salt": salt.hex(),
            "input": given,
            "before": before.hex(),
            "after": after.hex(),
        }
        for name, entity, entity_id, event_type, salt, given, before, after in events()
    ]

    texts = [
        {"salt": salt.hex(), "text": text, "hash": text_hash(salt, text).hex()}
        for salt, text in [(salt_of(1), "Bäckerei Sauer"), (salt_of(2), "Bäckerei Sauer"), (bytes(16), "")]
    ]

    request = '{"source_id":5,"target_id":200,"granular_certificate_bundle_ids":[41],"note":"Öl"}'
    actions = [
        {"id": 9, "kind": 10, "actor": 3, "requested_at": NOON, "salt": salt_of(11).hex(), "request": request},
        {"id": 1, "kind": 1, "actor": 0, "requested_at": -1, "salt": bytes(16).hex(), "request": "{}"},
    ]
    for action in actions:
        action["hash"] = action_hash(action).hex()

    leaves = []
    previous = NO_HASH
    for number, event in zip(range(1, 4), made):
        entry = {key: event[key] for key in ("entity", "entity_id", "event_type", "salt", "before", "after")}
        entry.update(number=number, recorded_at=NOON + number, action_id=9, action_hash=actions[0]["hash"])
        entry["previous"] = previous.hex()
        previous = leaf_hash(entry)
        leaves.append({**entry, "entry": entry_bytes(entry).hex(), "leaf": previous.hex()})

    frontiers = []
    for size in (0, 1, 2, 3, 5, 8):
        tree = [sha256(b"leaf %d" % index) for index in range(size)]
        frontiers.append(
            {
                "leaves": [leaf.hex() for leaf in tree],
                "peaks": b"".join(peaks(tree)).hex(),
                "root": tree_hash(tree).hex(),
            }
        )

    without_meter = {**ATTRIBUTES, "meter_data_id": None}
    attributes = [{**a, "hash": attributes_hash(a).hex()} for a in (ATTRIBUTES, without_meter)]
    root = bundle_hash(BUNDLE, attributes_hash(ATTRIBUTES))
    storage = attributes_hash(without_meter)
    return {
        "text_hash": texts,
        "action_hash": actions,
        "leaf_hash": leaves,
        "frontier": frontiers,
        "attributes_hash": attributes,
        "bundle_hash": {"bundle": BUNDLE, "attributes_hash": attributes[0]["hash"], "hash": root.hex()},
        "sdgc_hash": {
            "bundle": SDGC,
            "attributes_hash": attributes[0]["hash"],
            "storage_attributes_hash": storage.hex(),
            "hash": sdgc_hash(SDGC, attributes_hash(ATTRIBUTES), storage).hex(),
        },
        "child_hash": {"bundle": CHILD, "parent_hash": root.hex(), "hash": child_hash(CHILD, root).hex()},
        "events": made,
    }


def main():
    text = json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET.name} differs from what scripts/sealed_vectors.py writes")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
