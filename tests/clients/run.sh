#!/usr/bin/env bash
# Runs the clients that must work unmodified, and literal requests of those that no registry has, against real servers.
#
#   tests/clients/run.sh [FACE...]        faces: hoody orgs deltafi waldur audit native (default: all)
#
# Needs python3 (3.10 or later) with venv, curl, and on the first run the Python package index. The clients go to
# target/clients/venv in the versions of requirements.txt. Each file of tests starts a server of its own on a free port,
# with an empty store.
#
# ANNALS           the program (default: built here)
# CLIENT_TESTS     more arguments for pytest, e.g. "-k cursor -x"
# CLIENT_EXAMPLES  random requests that schemathesis makes of each operation (40)

set -euo pipefail
readonly HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$HERE/../.."
readonly WORK="${CARGO_TARGET_DIR:-$PWD/target}/clients"
readonly VENV="$WORK/venv"

for face in "$@"; do
    case "$face" in
        hoody | orgs | deltafi | waldur | audit | native) ;;
        *)
            echo "there is no face '$face': hoody orgs deltafi waldur audit native" >&2
            exit 2
            ;;
    esac
done

if [[ -z "${ANNALS:-}" ]]; then
    cargo build --quiet -p annals
    ANNALS="${CARGO_TARGET_DIR:-$PWD/target}/debug/annals"
fi
ANNALS="$(realpath "$ANNALS")"

# The stamp is the list that was installed: another list makes another environment.
if ! cmp --silent "$HERE/requirements.txt" "$VENV/installed"; then
    rm -rf "$VENV"
    mkdir -p "$WORK"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement "$HERE/requirements.txt"
    cp "$HERE/requirements.txt" "$VENV/installed"
fi

# A proxy of the environment must not stand between the clients and 127.0.0.1, and no settings of the user's take part.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
unset INSTAVM_API_KEY INSTAVM_BASE_URL SCHEMATHESIS_HOOKS
export NO_PROXY=127.0.0.1 PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1
export HOME="$WORK/home" ANNALS CLIENT_FACES="$*" CLIENT_WORK="$WORK"
mkdir -p "$HOME"
# CLIENT_TESTS is split into words on purpose.
# shellcheck disable=SC2086
exec "$VENV/bin/python" -m pytest -c "$HERE/pytest.ini" --rootdir "$HERE" --basetemp "$WORK/tmp" ${CLIENT_TESTS:-} \
    "$HERE"
