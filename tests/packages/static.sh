#!/usr/bin/env bash
# Runs the static binary in a root folder with nothing in it but itself, as the image of packaging/Containerfile would:
#
#   tests/packages/static.sh [--require] [BINARY]
#
# Without BINARY it is built by packaging/musl.sh. User, variables, entry point and health check are read from the
# Containerfile. There is no /proc, no /dev, no /etc, no library and no shell; the network is its own. Where podman,
# buildah or docker can build, the image is built and run too, else that is named as left out (with --require: a failure).
#
# Needs root and the Debian packages binutils, curl, iproute2, util-linux.

# shellcheck source=tests/packages/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin "$@"

readonly CONTAINERFILE="$PWD/packaging/Containerfile"
readonly EVENTS=2000
readonly URL=http://127.0.0.1:8080
readonly KEY=administrator-of-the-image

needs_root
needs curl ip unshare nsenter chroot readelf
unshare --mount --net true 2>/dev/null || skip "namespaces are not allowed"

binary="${arguments[0]:-}"
if [[ -z "$binary" ]]; then
    echo "--- packaging/musl.sh"
    bash packaging/musl.sh >"$PACKAGES/musl.log" 2>&1 || skip "packaging/musl.sh: $(tail -1 "$PACKAGES/musl.log")"
    binary="$PACKAGES/image/annals"
fi

work="$(mktemp -d "$PACKAGES/test.XXXXXX")"
chmod 755 "$work"
root="$work/root"
mkdir "$root"
cp "$binary" "$root/annals"

if readelf --program-headers "$binary" | grep INTERP >/dev/null || readelf --dynamic "$binary" | grep NEEDED >/dev/null; then
    fail "the binary wants libraries"
fi

# instruction NAME: what the Containerfile says behind it.
instruction() {
    sed -n "s/^$1 //p" "$CONTAINERFILE"
}
user="$(instruction USER)"
data="$(instruction VOLUME)"
# Words of a JSON list.
words_of() {
    tr -d '[]",' <<<"$1"
}
read -ra entry <<<"$(words_of "$(instruction ENTRYPOINT)")"
read -ra command <<<"$(words_of "$(instruction CMD)")"
read -ra health <<<"$(words_of "$(instruction HEALTHCHECK | sed 's/.*CMD //')")"
environment="$(instruction ENV)"
mkdir -m 750 "$root$data"
chown "$user" "$root$data"

chroot="$(command -v chroot)"
# in_image COMMAND...: in the root folder, as the user of the image, with its variables only.
# shellcheck disable=SC2086
in_image() {
    env -i $environment ANNALS_KEY="$KEY" ANNALS_ADMIN_KEY="$KEY" "$chroot" --userspec="$user" "$root" "$@"
}

# there COMMAND...: in the network of the server.
there() {
    nsenter --target "$server_pid" --net -- "$@"
}

# beside COMMAND...: both.
beside() {
    there env -i $environment ANNALS_KEY="$KEY" "$chroot" --userspec="$user" "$root" "$@"
}

start() {
    unshare --net -- bash -c 'ip link set lo up && exec "$@"' - \
        env -i $environment ANNALS_ADMIN_KEY="$KEY" "$chroot" --userspec="$user" "$root" "${entry[@]}" "${command[@]}" \
        >>"$work/server.log" 2>&1 &
    server_pid=$!
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        [[ "$(readlink "/proc/$server_pid/ns/net")" == "$(readlink /proc/self/ns/net)" ]] || break
        sleep 0.05
    done
    beside "${entry[@]}" health --wait 30s || fail "it is not ready: $(tail -3 "$work/server.log")"
}

# ends: SIGTERM, as a container is stopped.
ends() {
    kill -TERM "$server_pid"
    server_gone
    ((server_status == 0)) || fail "the exit code after SIGTERM is $server_status: $(tail -3 "$work/server.log")"
}

echo "--- $(in_image "${entry[@]}" --version | head -1), $(stat --format %s "$root/annals") bytes; in an empty root: ${entry[*]} ${command[*]}"
start
beside "${health[@]}" || fail "the health check of the image fails"
[[ "$(stat --format %u:%g "/proc/$server_pid")" == "$user" ]] || fail "the server does not run as $user"
in_image "${entry[@]}" generate --count "$EVENTS" >"$work/events.ndjson"
beside "${entry[@]}" import --url "$URL" - <"$work/events.ndjson" || fail "the events were not taken"
of_type="$(grep -c '"event_type":"user.login"' "$work/events.ndjson")"
beside "${entry[@]}" query --url "$URL" --event-type user.login --limit 2
found="$(there curl -sS -H "Authorization: Bearer $KEY" "$URL/annals/v1/events?event_type=user.login&limit=1")"
[[ "$found" == *"\"total\":$of_type,"* ]] || fail "there are not $of_type logins: $found"
beside "${entry[@]}" verify --url "$URL"
ends
if beside_down="$(in_image "${health[@]}" 2>&1)"; then
    fail "the health check finds a server that is not there: $beside_down"
fi
start
found="$(there curl -sS -H "Authorization: Bearer $KEY" "$URL/annals/v1/events?limit=1")"
[[ "$found" == *"\"total\":$EVENTS,"* ]] || fail "after a restart there are not $EVENTS events: $found"
ends
in_image "${entry[@]}" verify --data "$data"

builder=
for program in podman buildah docker; do
    if command -v "$program" >/dev/null && "$program" info >/dev/null 2>&1; then
        builder="$program"
        break
    fi
done
if [[ -z "$builder" ]]; then
    [[ $require == no ]] || fail "podman, buildah or docker that works is not there (--require)"
    echo "LEFT OUT: the image itself (no podman, buildah or docker that works)"
    echo "$name: ok in ${SECONDS} s, without the image"
    exit 0
fi
echo "--- $builder build"
mkdir -p "$work/context/data"
cp "$binary" "$work/context/annals"
touch "$work/context/third-party.txt"
"$builder" build --tag annals-test --file "$CONTAINERFILE" "$work/context"
if [[ "$builder" != buildah ]]; then
    "$builder" run --rm annals-test --version
fi
echo "$name: ok in ${SECONDS} s"
