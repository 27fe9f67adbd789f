"""The few requests that scripts/schemathesis.sh makes itself. Python's own library only.

free-port                  prints a free port of 127.0.0.1
wait-ready BASE PID        waits until GET /health/ready is 200, as long as process PID lives
sign-in BASE               prints an access token for ADMIN_EMAIL and ADMIN_PASSWORD
whoami BASE TOKEN          prints the id of the token's user
"""

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


def request(url, data=None, headers=None):
    """The body of a successful answer; an unsuccessful one raises."""
    made = urllib.request.Request(url, data=data, headers=headers or {})
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


def sign_in(base):
    form = {"username": os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]}
    return json.loads(request(base + "/auth/login", urllib.parse.urlencode(form).encode()))["access_token"]


def whoami(base, token):
    return json.loads(request(base + "/user/me", headers={"Authorization": f"Bearer {token}"}))["id"]


def main():
    commands = {"free-port": free_port, "wait-ready": wait_ready, "sign-in": sign_in, "whoami": whoami}
    name, *arguments = sys.argv[1:]
    try:
        result = commands[name](*arguments)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{name}: {error.url} answered {error.code}: {error.read()[:500]!r}") from None
    if result is not None:
        print(result)


if __name__ == "__main__":
    main()
