"""The few requests that the scripts make of a running server themselves. Python's own library only.

free-port                  prints a free port of 127.0.0.1
wait-ready BASE PID        waits until GET /health/ready is 200, as long as process PID lives
sign-in BASE               prints an access token for ADMIN_EMAIL and ADMIN_PASSWORD
fill BASE TOKEN [ROLE]     makes accounts, a device and certificates, so that ids of 1 and 2 are known;
                           prints a token of a user of both accounts with this role, or with every role
whoami BASE TOKEN          prints the id of the token's user
"""

import datetime
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

READY_SECONDS_MAX = 60
POLL_SECONDS = 0.1
REQUEST_SECONDS_MAX = 10

# The server is on this machine: a proxy of the environment must not be asked.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(url, data=None, headers=None, method=None):
    """The body of a successful answer; an unsuccessful one raises."""
    made = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    with OPENER.open(made, timeout=REQUEST_SECONDS_MAX) as answer:
        return answer.read()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def alive(pid):
    """Whether the process runs. A child that ended and was not waited for yet does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")


def wait_ready(base, pid):
    end = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < end:
        if not alive(int(pid)):
            raise SystemExit("the server stopped before it was ready")
        try:
            request(base + "/health/ready")
            return
        except OSError:
            time.sleep(POLL_SECONDS)
    raise SystemExit(f"the server was not ready within {READY_SECONDS_MAX} s")


def sign_in(base, name=None):
    form = {"username": name or os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]}
    return json.loads(request(base + "/auth/login", urllib.parse.urlencode(form).encode()))["access_token"]


def fill(base, token, role=None):
    def ask(method, path, body=None):
        headers = {"Authorization": f"Bearer {token}"}
        data = None if body is None else json.dumps(body).encode()
        return json.loads(request(base + path, data, headers, method))

    every_role = ask("GET", "/openapi.json")["components"]["schemas"]["Role"]["enum"]
    user = {"name": "Somebody", "primary_contact": "somebody@example.org", "password": os.environ["ADMIN_PASSWORD"]}
    user_id = ask("POST", "/user/create", {**user, "roles": [role] if role else every_role})["id"]
    accounts = [
        ask("POST", "/account/create", {"account_name": name, "user_ids": [user_id]})["id"] for name in ("One", "Two")
    ]
    for account, other in (accounts, accounts[::-1]):
        ask("PATCH", f"/account/update_whitelist/{account}", {"add_to_whitelist": [other]})
    device = {
        "device_name": "Turbine", "grid": "Grid", "energy_source": "wind", "technology_type": "Turbine",
        "operational_date": "2020-01-01", "capacity": 1_000_000, "peak_demand": 1_000, "location": "Hill",
        "is_storage": False, "account_id": accounts[0],
    }
    device_id = ask("POST", "/device/create", device)["id"]
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [today - datetime.timedelta(hours=24 - hour) for hour in range(25)]
    readings = [
        {
            "device_id": device_id, "interval_start_datetime": start.isoformat(),
            "interval_end_datetime": end.isoformat(), "interval_usage": 500_000, "gross_net_indicator": "NET",
        }
        for start, end in zip(hours, hours[1:])
    ]
    ask("POST", "/measurement/submit_readings", readings)
    metadata = {
        "country_of_issuance": "GB", "connected_grid_identification": "Grid", "issuing_body": "Issuer",
        "issue_market_zone": "GB",
    }
    metadata_id = ask("POST", "/certificate/create_metadata", metadata)["id"]
    issue = {"metadata_id": metadata_id, "from": hours[0].isoformat(), "to": hours[-1].isoformat()}
    job = ask("POST", "/certificate/issue", issue)
    if job["issued"] != len(readings):
        raise SystemExit(f"fill: not everything was issued: {job}")
    return sign_in(base, user["primary_contact"])


def whoami(base, token):
    return json.loads(request(base + "/user/me", headers={"Authorization": f"Bearer {token}"}))["id"]


def main():
    commands = {"free-port": free_port, "wait-ready": wait_ready, "sign-in": sign_in, "fill": fill, "whoami": whoami}
    name, *arguments = sys.argv[1:]
    try:
        result = commands[name](*arguments)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{name}: {error.url} answered {error.code}: {error.read()[:500]!r}") from None
    if result is not None:
        print(result)


if __name__ == "__main__":
    main()
