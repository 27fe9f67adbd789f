"""Tests Dockerfile and compose.yaml as far as that can be without a container engine.

1. Both are read by tools of their kind: hadolint, docker-compose, compose-lint. No secret is in them.
2. What the image is built from is all that the build reads.
3. The program runs in the image's root file system, as the image's user, on a PostgreSQL primary and a standby that
   docker/primary.sh and docker/standby.sh set up, with the options, the environment and the host names of compose.yaml.

Not tested: the base images, their entry points, and what an engine does itself (networks, volumes, confinement).

    .venv/bin/python scripts/test_containers.py "$(docker/build.sh)"
"""

import fnmatch
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import server_client

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv" / "bin"
OWNER = "65532:65532"
STEP_SECONDS_MAX = 120
SECRETS = ("SUPERUSER_PASSWORD", "DATABASE_PASSWORD", "REPLICATION_PASSWORD")
ONLY_COMPOSE = (*SECRETS, "PUBLISH_ADDRESS")
# Names a folder to write to, and containers may write to none.
NOT_IN_CONTAINERS = ("ELEXON_CACHE",)
EMAIL = "admin@example.org"
PASSWORD = "containers-Run-1"
# The hour before the clocks of London went back: 00:30 there was 23:30 of the day before in UTC.
LOCAL_READING = (
    "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n"
    "1,2026-06-01T00:30:00,2026-06-01T01:00:00,1000,NET\n"
)


def run(*command, fails=False, **options):
    """What it printed on standard output; with `fails`, what it said on standard error when it failed."""
    options = {"cwd": ROOT, "text": True, "timeout": STEP_SECONDS_MAX, "stdin": None, **options}
    if "input" in options:
        del options["stdin"]
    else:
        options["stdin"] = subprocess.DEVNULL
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False, **options)
    if (done.returncode != 0) != fails:
        raise SystemExit(f"containers: {command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stderr if fails else done.stdout


def compose(env_file, *arguments, fails=False):
    """docker-compose with what that file states, and nothing from the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    command = (TOOLS / "docker-compose", "--project-directory", ROOT, "--env-file", env_file, *arguments)
    return run(*command, env=environment, fails=fails)


def settings_of(text):
    """Names and values of a file like .env.example, commented settings included."""
    return dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", text, re.MULTILINE))


def check_files(scratch):
    """The configuration that compose makes of a new .env."""
    run(TOOLS / "hadolint", "Dockerfile")
    run(TOOLS / "compose-lint", "check", "--fail-on", "high", "compose.yaml")

    example = settings_of((ROOT / ".env.example").read_text(encoding="utf-8"))
    stated = [name for name in (*SECRETS, "ADMIN_PASSWORD") if example[name]]
    assert not stated, f"secrets in .env.example: {stated}"
    said = compose(ROOT / ".env.example", "config", "--quiet", fails=True)
    assert "PASSWORD is missing a value: set it in .env" in said, said

    env_file = scratch / ".env"
    run("scripts/make-env.sh", env_file)
    made = env_file.read_text(encoding="utf-8")
    run("scripts/make-env.sh", env_file)
    assert env_file.read_text(encoding="utf-8") == made, "make-env.sh changed what was stated"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600, "others may read .env"
    secrets = {settings_of(made)[name] for name in SECRETS}
    assert len(secrets) == len(SECRETS) and all(re.fullmatch("[0-9a-f]{48}", secret) for secret in secrets)

    # One from before there was a compose.yaml.
    env_file.write_text("LISTEN=127.0.0.1:8001\nDATABASE_PASSWORD=kept\n", encoding="utf-8")
    run("scripts/make-env.sh", env_file)
    added = settings_of(env_file.read_text(encoding="utf-8"))
    assert (added["LISTEN"], added["DATABASE_PASSWORD"]) == ("127.0.0.1:8001", "kept")
    assert all(added[name] for name in SECRETS)
    env_file.write_text(made, encoding="utf-8")

    config = json.loads(compose(env_file, "config", "--format", "json"))
    handed = config["services"]["registry"]["environment"]
    elsewhere = {*ONLY_COMPOSE, *NOT_IN_CONTAINERS}
    forgotten = [name for name in example if name not in handed and name not in elsewhere]
    useless = [name for name in NOT_IN_CONTAINERS if name in handed]
    assert not useless, f"containers can do nothing with these: {useless}"
    assert not forgotten, f"compose.yaml does not hand these to the registry: {forgotten}"
    return config


def check_confinement(config):
    for name, service in config["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"] and "cap_add" not in service, name
        for port in service["ports"]:
            assert port["host_ip"] == "127.0.0.1", f"{name} is published to other machines"
    published = {name: service["ports"][0]["published"] for name, service in config["services"].items()}
    assert published == {"registry": "8000", "primary": "5436", "standby": "5438"}, published


def check_sources(program):
    """Every file of the repository that went into the program is in what the Dockerfile copies."""
    listed = Path(f"{program}.d").read_text(encoding="utf-8")
    used = [Path(os.path.normpath(name.replace("\\ ", " "))) for name in re.split(r"(?<!\\)\s+", listed.partition(": ")[2].strip())]
    used = [str(name.relative_to(ROOT)) for name in used if name.is_relative_to(ROOT)]
    assert len(used) > 100, f"only {len(used)} files went into {program}"
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE) for name in line.split()[:-1]]
    allowed, refused = [], []
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split():
        (allowed if line.startswith("!") else refused).append(line.removeprefix("!"))
    refused.remove("*")

    def within(name, folders):
        return any(fnmatch.fnmatch(name, folder) or fnmatch.fnmatch(name, f"{folder}/*") for folder in folders)

    missing = [
        name for name in used if not within(name, copied) or not within(name, allowed) or within(name, refused)
    ]
    assert not missing, f"the image is built without {missing}"


class Pair:
    """A primary and its standby, set up by the scripts of their containers."""

    def __init__(self, config):
        services = config["services"]
        environment = {**os.environ, **{name: services["primary"]["environment"][name] for name in SECRETS[1:]}}
        self.ports = {name: str(server_client.free_port()) for name in ("primary", "standby")}
        options = services["primary"]["command"]
        assert options[0] == "postgres"
        self.script = subprocess.Popen(
            ["scripts/test-standby.sh", "run", *self.ports.values(), *options[1:]],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        urls = [self.script.stdout.readline() for _ in self.ports]
        assert all(urls), "the primary and its standby did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.script.stdin.close()
        self.script.wait(STEP_SECONDS_MAX)


class Container:
    """The image's root file system with the program in it, and what compose.yaml tells the program."""

    def __init__(self, program, scratch, config, pair):
        self.root = scratch / "rootfs"
        run("docker/rootfs.sh", program, self.root)
        # Here the names of the other containers are those of this machine, and the ports are free ones.
        (self.root / "etc" / "hosts").write_text("127.0.0.1 primary standby\n", encoding="ascii")
        self.environment = {**config["services"]["registry"]["environment"], "LOG_FORMAT": "json"}
        self.environment |= {"ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
        for name in ("DATABASE_URL", "DATABASE_READ_URL"):
            host = re.search(r"@(\w+):5432/", self.environment[name])[1]
            self.environment[name] = self.environment[name].replace(":5432/", f":{pair.ports[host]}/")
        self.port = server_client.free_port()
        assert self.environment["LISTEN"] == "0.0.0.0:8000"
        self.environment["LISTEN"] = f"0.0.0.0:{self.port}"

    def command(self, *arguments):
        # As root in the image's user's place; else in a user namespace, where that user cannot be had.
        enter = ["chroot", f"--userspec={OWNER}"] if os.getuid() == 0 else ["unshare", "--map-root-user", "chroot"]
        enter[0] = shutil.which(enter[0], path=f"{os.environ['PATH']}:/usr/sbin")
        return [*enter, str(self.root), "/granary", *arguments]

    def run(self, *arguments, **options):
        return run(*self.command(*arguments), env=self.environment, **options)

    def serve(self, log):
        return subprocess.Popen(self.command("serve"), env=self.environment, stdin=subprocess.DEVNULL, stderr=log)


def check_run(program, scratch, config):
    with Pair(config) as pair:
        container = Container(program, scratch, config, pair)
        assert not os.access(container.root, os.W_OK) or os.getuid() == 0
        with open(scratch / "server.log", "w+", encoding="utf-8") as log:
            server = container.serve(log)
            try:
                check_server(container, server, pair)
            except BaseException:
                log.seek(0)
                sys.stderr.writelines(log.readlines()[-40:])
                raise
            finally:
                server.terminate()
                server.wait(STEP_SECONDS_MAX)
        container.run("healthcheck", fails=True)
        assert server.returncode == 0, f"told to stop, the server ended with {server.returncode}"


def check_server(container, server, pair):
    base = f"http://127.0.0.1:{container.port}"
    server_client.wait_ready(base, server.pid)
    container.run("healthcheck")
    os.environ.update(ADMIN_EMAIL=EMAIL, ADMIN_PASSWORD=PASSWORD)
    server_client.fill(base, server_client.sign_in(base))

    # Time zones are in the image.
    container.run("import", "readings", "-", "--time-zone", "Europe/London", input=LOCAL_READING)

    checks = {check["check"]: check for check in json.loads(container.run("doctor", "--json"))}
    failed = [check for check in checks.values() if check["result"] == "fail"]
    assert not failed, failed
    assert "standby" in checks["replica"]["found"] and checks["replica"]["result"] == "ok", checks["replica"]

    # What the standby has is the whole ledger, soon.
    at_primary = json.loads(container.run("verify", "--json"))
    for _ in range(STEP_SECONDS_MAX):
        at_standby = json.loads(container.run("verify", "--json", "--database-url", container.environment["DATABASE_READ_URL"]))
        if at_standby["root"] == at_primary["root"]:
            return
    raise SystemExit(f"containers: the standby has another ledger: {at_standby}, the primary {at_primary}")


def main():
    [program] = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="granary-containers-", dir="/tmp") as scratch:
        scratch = Path(scratch)
        scratch.chmod(0o755)
        config = check_files(scratch)
        check_confinement(config)
        check_sources(program)
        check_run(program, scratch, config)
    print("containers: Dockerfile and compose.yaml are well, and what they run works without an engine")


if __name__ == "__main__":
    main()
