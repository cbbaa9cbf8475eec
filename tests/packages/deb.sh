#!/usr/bin/env bash
# Installs the Debian package on a clean Debian, starts what its unit starts, uses it, and removes it again:
#
#   tests/packages/deb.sh [--require] [PACKAGE.deb]
#
# Without PACKAGE.deb it is built by packaging/deb.sh. The clean Debian is made by debootstrap (minbase), once, and kept
# below target/packages; each run works on a copy. systemd does not run in it: the script reads from the unit what it
# would start, as whom, and what it would keep it from, and does that itself, in namespaces for mounts and network: a
# file system that is read-only but for the folders that the unit allows, no capabilities, no way to new ones. The
# system calls that the server makes are compared with the unit's SystemCallFilter. What is not emulated is the rest of
# the unit; `systemd-analyze` looks at all of it.
#
# Needs root and the Debian packages debootstrap, curl, iproute2, python3, util-linux; where they are there, also strace and systemd (for
# systemd-analyze); else the checks with them are named as left out. --require: not to be allowed is a failure.
#
# DEBIAN_SUITE    bookworm, or that of this machine if it is a Debian
# DEBIAN_MIRROR   where debootstrap gets packages (http://deb.debian.org/debian)

# shellcheck source=tests/packages/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin "$@"

readonly EVENTS=2000
# The default of the settings, in a network of its own.
readonly URL=http://127.0.0.1:8080

needs_root
needs debootstrap curl ip unshare nsenter chroot python3
unshare --mount --net true 2>/dev/null || skip "namespaces are not allowed"
clean_debian
the_package
copy_of "$base"
cp "$package" "$root/annals.deb"

# inside COMMAND...: what it says goes to inside.log and to standard output.
inside() {
    in_root "$@" 2>&1 | tee -a "$work/inside.log"
}

# Everything on the disk, but for what apt and dpkg keep for themselves.
list() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
        -o -path ./var/lib/dpkg -o -path ./run -o -path ./tmp \) -prune -o -print | sort)
}

install() {
    inside apt-get install --yes --no-install-recommends --reinstall ./annals.deb >/dev/null || fail "apt-get install: $(tail -3 "$work/inside.log")"
    [[ "$(inside dpkg-query --show --showformat '${Status}' annals)" == "install ok installed" ]] || fail "it is not installed"
}

# owner_of PATH: its mode, user and group, as they are named inside.
owner_of() {
    inside stat --format '%a %U:%G' "$1"
}

list >"$work/before"

part "install and purge without a start: nothing stays but the user"
install
inside apt-get purge --yes annals >/dev/null || fail "apt-get purge: $(tail -3 "$work/inside.log")"
list >"$work/after"
# What stays of a package is in docs/operations.md, section 9; deb-systemd-helper and systemctl keep folders of their own.
left="$(comm -13 "$work/before" "$work/after" | grep -Ev '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^\./(etc|var/lib)/systemd(/[a-z.-]+)*$' || true)"
[[ -z "$left" ]] || fail "a purge leaves $left"
if find "$root"/etc/systemd "$root"/var/lib/systemd -xdev -name '*annals*' 2>/dev/null | grep .; then
    fail "a purge leaves what names the unit"
fi
inside getent passwd annals >/dev/null || fail "the user is gone"

part "install"
install
echo "$(inside annals --version | head -1), $(stat --format %s "$package") bytes, $(stat --format %s "$root/usr/bin/annals") bytes installed in /usr/bin"
inside dpkg --verify annals | grep . && fail "dpkg --verify found something"
must_be "/var/lib/annals" "$(owner_of /var/lib/annals)" "750 annals:annals"
must_be "/var/backups/annals" "$(owner_of /var/backups/annals)" "750 annals:annals"
must_be "/etc/annals/admin-key" "$(owner_of /etc/annals/admin-key)" "640 root:annals"
key="$(cat "$root/etc/annals/admin-key")"
[[ "$key" =~ ^[0-9a-f]{64}$ ]] || fail "the administrator's key is not 64 hex digits"
grep -q "$key" "$work/inside.log" && fail "the administrator's key is in what the installation says"
[[ -L "$root/etc/systemd/system/multi-user.target.wants/annals.service" ]] || fail "the unit is not enabled"
zcat "$root/usr/share/man/man1/annals-serve.1.gz" | has 'annals serve \\-\\-demo' || fail "the manual page has no examples"
bash -n "$root/usr/share/bash-completion/completions/annals" || fail "the completion is no script"
zcat "$root/usr/share/doc/annals/third-party.txt.gz" | has '^==== zstd-sys ' || fail "licences are missing"

unit="$(find "$root/lib/systemd/system" "$root/usr/lib/systemd/system" -name annals.service | head -1)"
# setting NAME: what the unit says, all lines of that name.
setting() {
    sed -n "s/^$1=//p" "$unit"
}

part "the unit"
if command -v systemd-analyze >/dev/null; then
    # It looks for the program and the manual page on this machine, where they are not installed.
    wrong="$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -v 'Command /usr/bin/annals is not executable' || true)"
    [[ -z "$wrong" ]] || fail "systemd-analyze verify: $wrong"
    systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" >"$work/security" 2>&1 ||
        fail "$(tail -1 "$work/security")"
    tail -1 "$work/security" | sed 's/[^ -~]//g; s/^ *//'
else
    echo "LEFT OUT: systemd-analyze (there is none)"
fi

# The place of systemd, which waits for `Type=notify` to be told.
listen_for_ready() {
    rm -f "$root/run/notify" "$work/told"
    python3 - "$root/run/notify" "$work/told" <<'END' &
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
listener.settimeout(60)
try:
    told = listener.recv(100)
except TimeoutError:
    sys.exit()
with open(sys.argv[2], "wb") as file:
    file.write(told)
END
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        [[ ! -S "$root/run/notify" ]] || return 0
        sleep 0.1
    done
    fail "nobody listens at NOTIFY_SOCKET"
}

# start: what the unit starts, as the unit says. Sets server_pid, and main_pid, the server itself.
start() {
    local user group command paths trace=()
    user="$(setting User)" group="$(setting Group)" command="$(setting ExecStart)"
    paths="/var/lib/$(setting StateDirectory) $(setting ReadWritePaths | sed 's/-\//\//g')"
    [[ -n "$user" && -n "$group" && -n "$command" ]] || fail "the unit does not say what to start"
    # A machine may allow less, and then systemd would not start it there either.
    files="$(setting LimitNOFILE)"
    if [[ "$(ulimit -Hn)" != unlimited ]] && ((files > $(ulimit -Hn))); then
        files="$(ulimit -Hn)"
        echo "LEFT OUT: LimitNOFILE (this machine allows $files)"
    fi
    listen_for_ready
    ! command -v strace >/dev/null || trace=(strace --follow-forks --output "$work/trace" --signal=none)
    cat >"$work/start.sh" <<END
set -eu
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
for path in $paths; do mount --bind ".\$path" ".\$path"; done
mount -t tmpfs tmpfs tmp
mount -o remount,bind,ro "$root"
ip link set lo up
ulimit -n $files
umask $(setting UMask)
exec chroot . /usr/bin/setpriv --reuid $user --regid $group --init-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    /usr/bin/env -i PATH=/usr/bin:/bin LANG=C.UTF-8 NOTIFY_SOCKET=/run/notify $command
END
    unshare --mount --net -- "${trace[@]}" bash "$work/start.sh" >>"$work/server.log" 2>&1 &
    server_pid=$!
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        kill -0 "$server_pid" 2>/dev/null || fail "the server ended: $(tail -3 "$work/server.log")"
        main_pid="$(served_by)"
        if [[ "$(status /readyz)" == 200 && -s "$work/told" ]]; then
            return
        fi
        sleep 0.1
    done
    fail "the server is not ready: $(tail -3 "$work/server.log")"
}

# there COMMAND...: on this machine, in the network of the server.
there() {
    nsenter --target "$main_pid" --net -- "$@"
}

call() {
    local path="$1"
    shift
    there curl --silent --show-error --max-time 30 -H "Authorization: Bearer $key" "$@" "$URL$path"
}

status() {
    there curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "$URL$1" 2>/dev/null || true
}

# annals COMMAND...: the installed one, as somebody who may do anything, in the network of the server.
annals() {
    nsenter --target "$main_pid" --net -- chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 \
        ANNALS_KEY="$key" annals "$@"
}

total() {
    call "/annals/v1/events?limit=1&$1" | sed -n 's/.*"total":\([0-9]*\).*/\1/p'
}

part "start: $(setting ExecStart), as $(setting User)"
start
must_be "the type of the unit" "$(setting Type)" notify
must_be "what systemd was told" "$(cat "$work/told")" "READY=1"
must_be "the server's user" "$(stat --format %u "/proc/$main_pid")" "$(inside id -u annals)"
must_be "the server's capabilities" "$(sed -n 's/^CapEff:\t//p' "/proc/$main_pid/status")" 0000000000000000
must_be "the server's limit of files" "$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$main_pid/limits")" "$files"
must_be "/annals/v1/events without a key" "$(status /annals/v1/events)" 401
annals generate --count "$EVENTS" >"$work/events.ndjson"
call /annals/v1/events -H 'Content-Type: application/x-ndjson' --data-binary @"$work/events.ndjson" |
    has "\"accepted\":$EVENTS,.*\"rejected\":0" || fail "the events were not taken"
must_be "the total" "$(total '')" "$EVENTS"
of_type="$(grep -c '"event_type":"user.login"' "$work/events.ndjson")"
must_be "the total of logins" "$(total event_type=user.login)" "$of_type"
annals query --url "$URL" --event-type user.login --limit 3
must_be "annals query" "$(annals query --url "$URL" --event-type user.login --limit 100000 --output ndjson | wc -l)" "$of_type"
annals backup --url "$URL" "$(date +%F)" --verify
must_be "the backup's owner" "$(owner_of "/var/backups/annals/$(date +%F)" | cut -d' ' -f2)" annals:annals

part "reload, stop, start again"
MAINPID="$main_pid" bash -c "$(setting ExecReload)"
for ((tries = 0; tries < 100; tries++)); do
    call '/annals/v1/audit?limit=10' | has '"config.reloaded"' && break
    sleep 0.1
done
((tries < 100)) || fail "the settings were not read again: $(tail -3 "$work/server.log")"
call '/annals/v1/audit?limit=10' | has '"server.started"' || fail "the start is not written down"
kill -TERM "$main_pid"
server_gone
must_be "the exit code after SIGTERM" "$server_status" 0
grep -q "$key" "$work/server.log" && fail "the administrator's key is in the log"
[[ -z "$(find "$root/var/lib/annals" -type f -perm /077)" ]] || fail "others may read files of the store"
mv "$work/trace" "$work/trace.first" 2>/dev/null || true
start
must_be "the total after a restart" "$(total '')" "$EVENTS"
kill -TERM "$main_pid"
server_gone

# A system call set of systemd's, with the sets in it.
set_of() {
    local word
    systemd-analyze syscall-filter "$1" | sed -n '2,$p' | sed 's/#.*//' | tr -s ' \t' '\n' | while read -r word; do
        case "$word" in
            @*) set_of "$word" ;;
            ?*) echo "$word" ;;
        esac
    done
}

if [[ -s "$work/trace.first" ]] && command -v systemd-analyze >/dev/null; then
    part "system calls"
    sed -n '/execve("\/usr\/bin\/annals"/,$p' "$work/trace.first" | sed '1d' >"$work/calls"
    sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$work/calls" | sort -u >"$work/called"
    for word in $(setting SystemCallFilter); do
        case "$word" in
            ~*) set_of "${word#\~}" | sort -u >"$work/set"; comm -23 "$work/allowed" "$work/set" >"$work/next" ;;
            *) set_of "$word" | sort -u >"$work/next" ;;
        esac
        mv "$work/next" "$work/allowed"
    done
    refused="$(comm -23 "$work/called" "$work/allowed" | tr '\n' ' ')"
    [[ -z "$refused" ]] || fail "SystemCallFilter would refuse: $refused"
    if grep -E '(mmap|mprotect|pkey_mprotect)\(' "$work/calls" | grep -E 'PROT_WRITE\|PROT_EXEC'; then
        fail "MemoryDenyWriteExecute would refuse this"
    fi
    families="$(sed -n 's/.* socket(\(AF_[A-Z0-9]*\),.*/\1/p' "$work/calls" | sort -u)"
    for family in $families; do
        [[ " $(setting RestrictAddressFamilies) " == *" $family "* ]] || fail "RestrictAddressFamilies would refuse $family"
    done
    echo "$(wc -l <"$work/called") different calls, all allowed by the unit; sockets: ${families//$'\n'/ }"
else
    echo "LEFT OUT: the comparison of system calls (it needs strace and systemd-analyze)"
fi

part "install again over changed settings: they and the key stay"
echo '# changed' >>"$root/etc/annals/annals.toml"
install
grep -q '^# changed$' "$root/etc/annals/annals.toml" || fail "changed settings are gone"
must_be "the administrator's key" "$(cat "$root/etc/annals/admin-key")" "$key"

part "remove: settings and events stay"
inside apt-get remove --yes annals >/dev/null || fail "apt-get remove: $(tail -3 "$work/inside.log")"
for gone in /usr/bin/annals /usr/share/doc/annals /lib/systemd/system/annals.service; do
    [[ ! -e "$root$gone" ]] || fail "$gone is still there"
done
for kept in /etc/annals/annals.toml /etc/annals/admin-key /var/lib/annals/MANIFEST "/var/backups/annals/$(date +%F)/BACKUP"; do
    [[ -e "$root$kept" ]] || fail "$kept is gone"
done

part "purge: events and backups stay, and are named"
said="$(inside apt-get purge --yes annals)"
list >"$work/after"
left="$(comm -13 "$work/before" "$work/after" | grep -Ev '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^\./(etc|var/lib)/systemd(/[a-z.-]+)*$' || true)"
other="$(grep -Ev '^\./var/(lib|backups)/annals(/|$)' <<<"$left" || true)"
[[ -z "$other" ]] || fail "a purge leaves $other"
for folder in /var/lib/annals /var/backups/annals; do
    grep -q "annals: $folder has data and stays" <<<"$said" || fail "the purge does not say that $folder stays"
done
echo "left: $(sed 's|^\.\(/[^/]*/[^/]*/[^/]*\).*|\1|' <<<"$left" | sort | uniq -c | tr -s ' \n' ' ')"

part "the store that stayed is whole"
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work" ./usr/bin/annals
"$work/usr/bin/annals" verify --data "$root/var/lib/annals" || fail "the store is not whole"
echo "$name: ok in ${SECONDS} s"
