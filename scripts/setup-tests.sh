#!/usr/bin/env bash
# Installs what `make test` needs and is not there yet: a C compiler, a PostgreSQL server, Chromium, Python packages in .venv.
# Never asks anything. What it cannot install, it names.
set -euo pipefail
cd "$(dirname "$0")/.."

POSTGRES_VERSION_MIN=15
PYTHON_REQUIREMENTS=scripts/requirements-tests.txt

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        sudo "$@"
    else
        fail "root is needed to run: $*" "Run that by hand, then try again."
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null
}

# Installs Debian packages. The package lists are fetched only if the ones at hand do not do.
apt_install() {
    command -v apt-get >/dev/null || fail "apt-get is not here. Install by hand, in your system's way: $*"
    echo "setup: installing $*"
    apt install -y --no-install-recommends "$@" && return
    echo "setup: fetching the package lists and trying again"
    apt update || fail "apt-get update failed. Is there a network?"
    apt install -y --no-install-recommends "$@" || fail "apt-get could not install: $*"
}

# The newest PostgreSQL server of this machine, as its major version; 0 if there is none.
postgres_version() {
    local newest=0 initdb version
    for initdb in /usr/lib/postgresql/*/bin/initdb "$(command -v initdb || true)"; do
        [ -x "$initdb" ] || continue
        version=$("$initdb" --version | grep -oE '[0-9]+' | head -n 1)
        [ "$version" -le "$newest" ] || newest=$version
    done
    echo "$newest"
}

setup_compiler() {
    command -v cargo >/dev/null || fail "cargo is not here. Install Rust, see DEVELOPMENT.md."
    command -v cc >/dev/null || apt_install gcc libc6-dev
}

setup_postgres() {
    if [ -n "${TEST_POSTGRES_URL:-}" ]; then
        echo "setup: TEST_POSTGRES_URL is set, no PostgreSQL is installed"
        return
    fi
    [ "$(postgres_version)" -lt "$POSTGRES_VERSION_MIN" ] || return 0
    apt_install postgresql postgresql-contrib
    [ "$(postgres_version)" -ge "$POSTGRES_VERSION_MIN" ] || fail \
        "the packages of this system bring PostgreSQL $(postgres_version), at least $POSTGRES_VERSION_MIN is needed." \
        "Install a newer one, or set TEST_POSTGRES_URL to a server that tests may use."
}

# Debian's. Where a package of this name is only a pointer to another shop, it says so: then CHROMIUM names a browser.
setup_chromium() {
    local browser
    for browser in ${CHROMIUM:-chromium chromium-browser google-chrome}; do
        ! command -v "$browser" >/dev/null || return 0
    done
    [ -z "${CHROMIUM:-}" ] || fail "CHROMIUM is set, and $CHROMIUM is not there."
    apt_install chromium
    chromium --version >/dev/null 2>&1 || fail \
        "the package chromium of this system brings no browser that runs." \
        "Install Chromium or Chrome in another way, and name it in CHROMIUM."
}

setup_python() {
    command -v python3 >/dev/null || apt_install python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed."
    cmp -s "$PYTHON_REQUIREMENTS" .venv/installed.txt && return
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    echo "setup: installing Python packages into .venv"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --no-input --retries 5 -r "$PYTHON_REQUIREMENTS" \
        || fail "pip could not install $PYTHON_REQUIREMENTS."
    cp "$PYTHON_REQUIREMENTS" .venv/installed.txt
}

setup_compiler
setup_postgres
setup_chromium
setup_python
