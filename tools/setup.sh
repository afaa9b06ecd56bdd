#!/usr/bin/env bash
# Set up .venv on Debian or Ubuntu: `setup.sh run` for the program, `setup.sh test` for the tests too.
# System packages come by apt where this user may install them; else one line names what is missing. Only the example goes on
# without a PDF engine.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}

say() { echo "set-up: $*" >&2; }

find_python() {
    local name seen=()
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$name" >/dev/null; then
            if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
                command -v "$name"
                return
            fi
            seen+=("$name is $("$name" -V 2>&1)")
        else
            seen+=("no $name")
        fi
    done
    say "missing: Python 3.11 or later (${seen[*]/%/;} Ubuntu 22.04: apt-get install python3.11 python3.11-venv)"
    return 1
}

apt_install() { # succeeds only where apt exists and this user may use it
    command -v apt-get >/dev/null || return 1
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    # dpkg looks for its helpers in sbin, which the PATH of `su` lacks; a new machine may still be at its first upgrade
    local apt=(env DEBIAN_FRONTEND=noninteractive "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin")
    apt+=(apt-get -q -o DPkg::Lock::Timeout=120)
    say "apt-get install $*"
    if ! "${root[@]}" "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1; then
        "${root[@]}" "${apt[@]}" update >/dev/null 2>&1 || true
        "${root[@]}" "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1
    fi
}

has_venv() { "$python" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>&1; }

usable() { # .venv is whole and, where PYTHON was given, of that version
    .venv/bin/python -c 'import pip, sys; sys.exit(sys.argv[1] not in ("", "%d.%d" % sys.version_info[:2]))' \
        "${PYTHON:+$version}" 2>/dev/null
}

has_engine() { .venv/bin/python -W ignore -c 'import weasyprint' >/dev/null 2>&1; }

has_subset() { "$python" -c 'import ctypes; ctypes.CDLL("libharfbuzz-subset.so.0")' 2>/dev/null; }

python=$(find_python)
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

if ! has_venv && ! { apt_install "python$version-venv" && has_venv; }; then
    say "missing: the module venv of $python; run: apt-get install python$version-venv"
    exit 1
fi

usable || "$python" -m venv --clear .venv
target=.
[ "$what" = test ] && target=".[test]"
say "pip install $target"
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e "$target"

# The PDF engine needs Pango. Without the subset library it embeds fonts by a slower way; Ubuntu 22.04 has no such package.
pango=(libpango-1.0-0 libpangoft2-1.0-0 libfontconfig1 fonts-dejavu-core)
if ! has_engine || ! has_subset; then
    apt_install "${pango[@]}" libharfbuzz-subset0 || has_engine || apt_install "${pango[@]}" || true
fi
if [ "$what" = test ] && ! has_engine; then # the example goes on without it and says so
    say "missing: Pango, the tests make PDFs; run: apt-get install ${pango[*]} libharfbuzz-subset0"
    exit 1
fi
touch ".venv/ready-$what"
