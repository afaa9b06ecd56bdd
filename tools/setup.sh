#!/usr/bin/env bash
# Set up .venv on Debian or Ubuntu: `setup.sh run` for the program, `setup.sh test` for the tests too.
# System packages come by apt where this user may install them; else one line names what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}

say() { echo "set-up: $*" >&2; }

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$name"
            return
        fi
    done
    say "missing: Python 3.11 or later (looked for ${PYTHON:-python3, python3.13, python3.12, python3.11})"
    return 1
}

apt_install() { # succeeds only where apt exists and this user may use it
    command -v apt-get >/dev/null || return 1
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    say "apt-get install $*"
    if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1; then
        "${root[@]}" apt-get update -q >/dev/null 2>&1 || true
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1
    fi
}

has_libraries() { # what the PDF engine loads
    "$python" - <<'PY' 2>/dev/null
import ctypes
for name in ("libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz.so.0", "libharfbuzz-subset.so.0", "libfontconfig.so.1"):
    ctypes.CDLL(name)
PY
}

python=$(find_python)
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if ! apt_install "python$version-venv"; then
        say "missing: python$version-venv; run: apt-get install python$version-venv"
        exit 1
    fi
fi

pango=(libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 libfontconfig1 fonts-dejavu-core)
if ! has_libraries && ! apt_install "${pango[@]}"; then
    say "no PDF engine, HTML and JSON only; for PDF run: apt-get install ${pango[*]}"
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
target=.
[ "$what" = test ] && target=".[test]"
say "pip install $target"
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e "$target"
touch ".venv/ready-$what"
