#!/usr/bin/env bash
# Installs the Debian package in a Debian that systemd runs, and has systemd start, reload, restart and stop the server in
# everything that the unit shuts it in:
#
#   tests/packages/systemd.sh [--require] [PACKAGE.deb]
#
# Without PACKAGE.deb it is built by packaging/deb.sh. systemd is process 1 of namespaces of its own (processes, mounts,
# network, names, control groups), with the settings of the kernel and devices out of its reach. It is installed once,
# from Debian's mirror, into a copy of the clean Debian of tests/packages/deb.sh.
#
# Needs root and the Debian packages debootstrap, curl, iproute2, util-linux. --require: not to be allowed is a failure.
#
# DEBIAN_SUITE, DEBIAN_MIRROR   as in deb.sh

# shellcheck source=tests/packages/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin "$@"

readonly EVENTS=2000
readonly URL=http://127.0.0.1:8080

needs_root
needs debootstrap curl ip unshare nsenter chroot
unshare --pid --mount --net --uts --ipc --cgroup --fork true 2>/dev/null || skip "namespaces are not allowed"
clean_debian
the_package

with_systemd="$base-systemd"
if [[ ! -d "$with_systemd" ]]; then
    part "a Debian with systemd"
    copy_of "$base"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    in_root sh -c 'apt-get update && apt-get install --yes --no-install-recommends systemd systemd-sysv dbus' \
        >"$work/apt.log" 2>&1 || skip "systemd cannot be installed: $(tail -1 "$work/apt.log")"
    # Terminals are those of this machine.
    in_root systemctl mask console-getty.service getty@tty1.service serial-getty@ttyS0.service getty.target \
        systemd-sysctl.service systemd-modules-load.service systemd-udevd.service >/dev/null 2>&1
    mv "$root" "$with_systemd"
    rm -rf "$work"
fi
copy_of "$with_systemd"
cp "$package" "$root/annals.deb"

# Instead of what ends a server: its process 1 takes all the others along.
server_kill() {
    [[ -n "$server_pid" ]] || return 0
    kill -9 "${machine:-$server_pid}" 2>/dev/null || true
    server_gone
}

cat >"$work/boot.sh" <<END
set -eu
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/\$device
    mount --bind /dev/\$device dev/\$device
done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
# Control groups as this machine has them: all in one, or a tree of systemd's own beside others.
if [ "\$(stat --file-system --format %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
ip link set lo up
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt; exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd'
END

part "boot"
unshare --pid --mount --net --uts --ipc --cgroup --fork --kill-child bash "$work/boot.sh" </dev/null >"$work/server.log" 2>&1 &
server_pid=$!
for ((tries = 0; tries < 300; tries++)); do
    kill -0 "$server_pid" 2>/dev/null || skip "systemd does not run in namespaces here: $(tail -1 "$work/server.log")"
    machine="$(pgrep -P "$server_pid" | head -1)"
    if [[ -n "$machine" ]]; then
        state="$(nsenter --target "$machine" --all -- /bin/systemctl is-system-running 2>/dev/null || true)"
        [[ "$state" != running && "$state" != degraded ]] || break
    fi
    sleep 0.2
done
((tries < 300)) || skip "systemd does not come up in namespaces here: ${state:-nothing}"

# inside COMMAND...: as root, within it.
inside() {
    nsenter --target "$machine" --all -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

call() {
    local path="$1"
    shift
    nsenter --target "$machine" --net -- curl --silent --show-error --max-time 30 -H "Authorization: Bearer $key" "$@" "$URL$path"
}

total() {
    call "/annals/v1/events?limit=1" | sed -n 's/.*"total":\([0-9]*\).*/\1/p'
}

# property NAME: what systemd says of the unit.
property() {
    inside systemctl show --property "$1" --value annals
}

must_be_active() {
    local state
    state="$(property ActiveState)"
    [[ "$state" == active ]] || fail "the unit after $1 is $state: $(inside journalctl --no-pager --unit annals | tail -5)"
    inside annals health --wait 5s >/dev/null || fail "the server is not ready after $1, and systemd says that it is"
}

part "install: systemd starts it and waits until it is ready"
inside apt-get install --yes --no-install-recommends /annals.deb >"$work/apt.log" 2>&1 || fail "apt-get install: $(tail -3 "$work/apt.log")"
must_be_active "the installation"
must_be "the unit" "$(property UnitFileState)" enabled
key="$(cat "$root/etc/annals/admin-key")"

part "what it is shut in"
# The kernel's words on the process, which has a number in there and another one out here.
main="$(property MainPID)"
status="$(inside cat "/proc/$main/status")"
for line in "NoNewPrivs:	1" "Seccomp:	2" "CapBnd:	0000000000000000" "CapEff:	0000000000000000"; do
    has -x "$line" <<<"$status" || fail "/proc/$main/status does not say $line"
done
# Even root may not write in there, but for the folders that the unit names.
for place in /etc /usr/bin /var/lib /var/log /home; do
    ! inside nsenter --target "$main" --mount -- touch "$place/written" 2>/dev/null || fail "$place can be written to"
done
for place in /var/lib/annals /var/backups/annals /tmp; do
    inside nsenter --target "$main" --mount -- touch "$place/written" || fail "$place cannot be written to"
    inside nsenter --target "$main" --mount -- rm "$place/written"
done
[[ "$(inside nsenter --target "$main" --mount -- sh -c 'ls /proc | grep -c "^[0-9]"')" -ge 1 ]] || fail "/proc is not there"

part "use"
inside annals generate --count "$EVENTS" >"$work/events.ndjson"
call /annals/v1/events -H 'Content-Type: application/x-ndjson' --data-binary @"$work/events.ndjson" |
    has "\"accepted\":$EVENTS,.*\"rejected\":0" || fail "the events were not taken"
must_be "the total" "$(total)" "$EVENTS"
inside env ANNALS_KEY="$key" annals backup --url "$URL" first --verify 2>&1 | tail -1
inside env ANNALS_KEY="$key" annals verify --url "$URL" | tail -1

part "reload"
inside systemctl reload annals
for ((tries = 0; tries < 100; tries++)); do
    ! call '/annals/v1/audit?limit=10' | has '"config.reloaded"' || break
    sleep 0.1
done
((tries < 100)) || fail "the settings were not read again"

part "kill: systemd starts it again, and what was acknowledged is there"
before="$(property MainPID)"
inside sh -c "kill -9 $before"
for ((tries = 0; tries < 300; tries++)); do
    now="$(property MainPID)"
    [[ "$now" == 0 || "$now" == "$before" || "$(property ActiveState)" != active ]] || break
    sleep 0.1
done
must_be_active "a kill"
must_be "the total after a kill" "$(total)" "$EVENTS"

part "upgrade: stopped, replaced, started"
inside apt-get install --yes --no-install-recommends --reinstall /annals.deb >>"$work/apt.log" 2>&1 || fail "apt-get install: $(tail -3 "$work/apt.log")"
must_be_active "an upgrade"
must_be "the total after an upgrade" "$(total)" "$EVENTS"

part "stop, and start again"
inside systemctl stop annals
must_be "the unit after a stop" "$(property ActiveState) $(property Result)" "inactive success"
inside runuser -u annals -- annals verify --data /var/lib/annals | tail -1
inside systemctl start annals
must_be_active "a start"
journal="$(inside journalctl --no-pager --unit annals)"
[[ "$journal" == *"annals listens on"* && "$journal" != *"$key"* ]] || fail "the journal has the key, or nothing"

part "purge"
inside apt-get purge --yes annals >>"$work/apt.log" 2>&1 || fail "apt-get purge: $(tail -3 "$work/apt.log")"
must_be "the unit after a purge" "$(property LoadState) $(property ActiveState)" "not-found inactive"
[[ -e "$root/var/lib/annals/MANIFEST" ]] || fail "the store is gone"
server_kill
echo "$name: ok in ${SECONDS} s"
