"""A registry of ten million bundles, and what its pages cost there. Python's own library only.

fill BASE      adds to a demonstration that is served at BASE: 40 accounts, 10,000 devices, a year of readings of some of
               them, their certificates, and transfers and cancellations; one account has two million bundles
measure BASE   asks for every page that links lead to, as each role, and prints what they took; leads with the slowest

    granary demo --no-serve && granary serve     # with DATABASE_URL and LISTEN, built for release
    scripts/large_registry.py fill http://127.0.0.1:8000

DEVICES (1,140) have readings, HOURS (8,760) of them each; RUNS (20) is how often a page is asked for.
"""

import datetime
import http.client
import html
import json
import os
import re
import statistics
import sys
import time
import urllib.parse
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor

PASSWORD = "granary-demo"
DEVICES, HOURS, RUNS = (int(os.environ.get(name, value)) for name, value in (("DEVICES", 1_140), ("HOURS", 8_760), ("RUNS", 20)))
DEVICES_IN_ALL = 10_000
ACCOUNTS = 40
# Of those with readings, each so many-th is the large account's: it gets two million bundles of ten.
LARGE_EVERY = 5
ROWS_PER_REQUEST = 500_000
BUNDLES_AT_ONCE = 10_000
# Each so many-th day has movements.
MOVED_EVERY = 6
WH = 400_000
# What takes longer the first time is asked for no more.
SLOW_MS = 2_000
KINDS = (("wind", "Wind"), ("solar_pv", "Solar"), ("hydro", "Hydro"), ("wind", "Offshore wind"))
LARGE_HOLDER = "large@demo.granary.example"
ROLES = (LARGE_HOLDER, *(f"{name}@demo.granary.example" for name in ("producer", "issuer", "auditor", "admin")))


class Client:
    """One connection that stays open."""

    def __init__(self, base):
        self.address = urllib.parse.urlsplit(base).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=600)
        self.headers = {}

    def send(self, method, path, body=None, headers=()):
        self.connection.request(method, path, body, {**self.headers, **dict(headers)})
        answer = self.connection.getresponse()
        return answer, answer.read()

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body)
        answer, found = self.send(method, path, data, {"Content-Type": "application/json"})
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {found[:500]}")
        return json.loads(found)

    def take_token(self, name):
        token = self.ask("POST", "/auth/login", {"username": name, "password": PASSWORD})["access_token"]
        self.headers["Authorization"] = f"Bearer {token}"
        return self

    def take_cookie(self, name):
        form = urllib.parse.urlencode({"name": name, "username": name, "password": PASSWORD})
        answer, _ = self.send("POST", "/ui/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"})
        cookies = [value.partition(";")[0] for key, value in answer.getheaders() if key.lower() == "set-cookie"]
        if answer.status != 303 or not cookies:
            raise SystemExit(f"sign in as {name}: {answer.status}")
        self.headers["Cookie"] = "; ".join(cookies)
        return self


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def fill(base):
    client = Client(base).take_token("admin@demo.granary.example")
    me = client.ask("GET", "/user/me")["id"]
    holder = {"name": "Large holder", "primary_contact": LARGE_HOLDER, "password": PASSWORD}
    holder = client.ask("POST", "/user/create", {**holder, "roles": ["Trading User", "Production User"]})["id"]
    accounts = []
    for number in range(ACCOUNTS):
        users = [me, holder] if number == 0 else [me]
        new = {"account_name": f"Scale {number:02}", "user_ids": users, "account_whitelist": accounts[:1]}
        accounts.append(client.ask("POST", "/account/create", new)["id"])
    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        clients = [Client(base).take_token("admin@demo.granary.example") for _ in range(16)]
        made = pool.map(lambda n: register(clients[n % 16], accounts, range(n, DEVICES_IN_ALL, 16)), range(16))
        devices = [pair for part in made for pair in part]
    devices = [device for number, device in sorted(devices) if number < DEVICES]
    say(started, f"{DEVICES_IN_ALL} devices")
    to = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [to - datetime.timedelta(hours=HOURS - hour) for hour in range(HOURS + 1)]
    submit(client, devices, hours)
    say(started, f"{DEVICES * HOURS} readings")
    metadata = client.ask("GET", "/certificate/metadata/list")
    metadata = (metadata if isinstance(metadata, list) else next(v for v in metadata.values() if isinstance(v, list)))[0]["id"]
    issue = {"metadata_id": metadata, "from": stamp(hours[0]), "to": stamp(hours[-1]), "device_ids": devices, "wait": 300}
    job = client.ask("POST", "/certificate/issue", issue)
    while job["state"] == "running":
        time.sleep(5)
        job = client.ask("GET", f"/job/{job['id']}")
    say(started, f"{job['issued']} bundles")
    moved = sum(move(client, accounts, day) for day in hours[:-1:24 * MOVED_EVERY])
    say(started, f"{moved} bundles moved")


def register(client, accounts, numbers):
    made = []
    for number in numbers:
        place = 0 if number % LARGE_EVERY == 0 else 1 + number % (ACCOUNTS - 1)
        source, technology = KINDS[number % len(KINDS)]
        device = {
            "device_name": f"Scale device {number:05}", "grid": "Grid", "energy_source": source,
            "technology_type": technology, "operational_date": "2015-01-01", "capacity": 1_000_000,
            "peak_demand": 1_000, "location": f"Field {number}", "is_storage": False,
            "meter_data_id": f"scale-{number}",
            # Those without readings belong to the others, but for some.
            "account_id": accounts[place if number < DEVICES or place else 1 + number % 7],
        }
        device = client.ask("POST", "/device/create", device)["id"]
        made.append((number, device))
    return made


def submit(client, devices, hours):
    head = "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n"
    spans = [f",{stamp(start)},{stamp(end)}," for start, end in zip(hours, hours[1:])]
    step = max(1, ROWS_PER_REQUEST // len(devices))
    for first in range(0, len(spans), step):
        part = enumerate(spans[first : first + step], first)
        rows = (f"{device}{span}{WH + hour * 37 % 1_000 * device % 997},NET\n" for hour, span in part for device in devices)
        answer, body = client.send(
            "POST", "/measurement/submit_readings", (head + "".join(rows)).encode(), {"Content-Type": "text/csv"}
        )
        if answer.status >= 300 or json.loads(body)["rejected"]:
            raise SystemExit(f"readings: {answer.status} {body[:500]}")


def move(client, accounts, day):
    """Of the large account's bundles of a day: half of each of the first eight hours is sent away, the next eight are
    cancelled, the rest is sent as it is."""
    moved = 0
    eight = datetime.timedelta(hours=8)
    send = {"source_id": accounts[0], "target_id": accounts[1 + day.day % (ACCOUNTS - 1)]}
    cancel = {"source_id": accounts[0], "beneficiary": f"Somebody {day.day}"}
    deeds = (
        ("transfer", {**send, "certificate_bundle_percentage": 0.5}), ("cancel", cancel), ("transfer", send),
    )
    for part, (deed, body) in enumerate(deeds):
        start = day + eight * part
        query = {
            "source_id": accounts[0], "certificate_period_start": stamp(start),
            "certificate_period_end": stamp(start + eight),
        }
        found = client.ask("POST", "/certificate/query", query)
        found = next(value for value in found.values() if isinstance(value, list) and value)
        ids = [bundle["id"] for bundle in found][:BUNDLES_AT_ONCE]
        client.ask("POST", f"/certificate/{deed}", {**body, "granular_certificate_bundle_ids": ids})
        moved += len(ids)
    return moved


def say(started, what):
    print(f"{time.monotonic() - started:7.0f} s  {what}", flush=True)


# Beside what links lead to: what is looked for and is hardly there, and parts of pages. {a} is the large account.
ASKED = [
    *(f"/ui/account/{{a}}/certificates?status={status}" for status in (
        "Active", "Cancelled", "Claimed", "Expired", "Locked", "Reserved", "Withdrawn", "Bundle+Split")),
    "/ui/account/{a}/certificates?source=hydro&status=Locked", "/ui/account/{a}/certificates?source=nuclear",
    "/ui/account/{a}/certificates?order=oldest&status=Claimed",
    "/ui/account/{a}/certificates?from=2000-01-01&to=2001-01-01",
    "/ui/account/{a}/holdings", "/ui/account/{a}/production", "/ui/account/{a}", "/ui/account/{a}/devices",
    "/ui/account/{a}/activity", "/ui/activity", "/ui/audit", "/ui/devices", "/ui/devices?shown=waiting", "/ui/issue",
    "/ui/search?q=1000000", "/ui/search?q=Scale", "/ui/admin/accounts", "/ui/accounts", "/ui/audit/invariants",
]
# Of the API, what answers beside the pages.
ASKED_OF_API = ["/account/{a}/summary", "/account/{a}/certificates/devices", "/account/{a}/certificates"]


def measure(base):
    """Pages that links lead to, one of each kind, and those of ASKED: milliseconds until the whole answer is there."""
    holder = Client(base).take_token(LARGE_HOLDER)
    accounts = holder.ask("GET", "/user/me/accounts")
    large = accounts[0]["id"]
    rows = []
    for role in ROLES:
        visitor = Client(base).take_cookie(role)
        todo = deque(["/ui", *(address.format(a=large) for address in ASKED)])
        seen, kinds = set(todo), Counter()
        while todo:
            address = todo.popleft()
            row, body = look(visitor, address)
            if row is None:
                continue
            rows.append((*row, role.partition("@")[0]))
            links = re.findall(r'(?:href|hx-get)="(/ui[^"#]*)"', body.decode(errors="replace"))
            for link in map(html.unescape, links):
                kind = kind_of(link)
                if link not in seen and not kinds[kind] and "/assets/" not in link and "export" not in link:
                    seen.add(link)
                    kinds[kind] += 1
                    todo.append(link)
    token = Client(base).take_token(LARGE_HOLDER)
    rows += [(*row, "api") for row, _ in (look(token, address.format(a=large)) for address in ASKED_OF_API) if row]
    print("median ms   worst ms     kB  role       address")
    for median, worst, size, address, role in sorted(rows, reverse=True):
        print(f"{median:9.1f} {worst:10.1f} {size / 1_000:6.1f}  {role:<9}  {address}")


def look(client, address):
    """What a page took and weighs without what plots are drawn from; none for one that this visitor is not shown."""
    times, body = [], b""
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        answer, body = client.send("GET", address)
        times.append((time.perf_counter() - started) * 1_000)
        if answer.status != 200:
            return None, body
        if times[0] > SLOW_MS:
            break
    times = times[1:] or times
    plots = re.findall(rb'<script type="application/json"[^>]*>(.*?)</script>', body, re.DOTALL)
    print(f"{times[0]:9.1f} {address}", file=sys.stderr, flush=True)
    return (statistics.median(times), max(times), len(body) - sum(map(len, plots)), address), body


def kind_of(address):
    """An address without its numbers, and the names of its parameters."""
    parts = urllib.parse.urlsplit(address)
    path = "/".join("N" if any(c.isdigit() for c in name) else name for name in parts.path.split("/"))
    names = ",".join(sorted({name for name, _ in urllib.parse.parse_qsl(parts.query)}))
    return f"{path}?{names}"


def main():
    commands = {"fill": fill, "measure": measure}
    name, base = sys.argv[1:]
    commands[name](base)


if __name__ == "__main__":
    main()
