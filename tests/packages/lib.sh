# What the tests of packages share; sourced, not run. `begin`, `skip`, `fail`, `finish` and what they need are those of the
# real faults.

# shellcheck source=tests/faults/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../faults/lib.sh"

readonly PACKAGES="$PWD/target/packages"
suite="${DEBIAN_SUITE:-$(. /etc/os-release 2>/dev/null; [[ "${ID:-}" == debian ]] && echo "${VERSION_CODENAME:-bookworm}" || echo bookworm)}"

# part WORDS: what comes next.
part() {
    echo "--- $* (${SECONDS} s)"
}

# has PATTERN: whether it is in what comes in, all of which is read: who writes it must not fail.
has() {
    grep "$@" >/dev/null
}

must_be() {
    [[ "$2" == "$3" ]] || fail "$1 is '$2', not '$3'"
}

# clean_debian: the folder of a Debian that nothing was done to, in $base; made once.
clean_debian() {
    base="$PACKAGES/debian-$suite"
    [[ ! -d "$base" ]] || return 0
    part "debootstrap $suite"
    mkdir -p "$PACKAGES"
    rm -rf --one-file-system "$base.part"
    debootstrap --variant=minbase "$suite" "$base.part" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
        >"$PACKAGES/debootstrap.log" 2>&1 || skip "debootstrap failed: $(tail -1 "$PACKAGES/debootstrap.log")"
    # Nothing here is worth waiting for the disk.
    echo force-unsafe-io >"$base.part/etc/dpkg/dpkg.cfg.d/test"
    mv "$base.part" "$base"
}

# the_package: the one that was named, or else a new one, in $package.
the_package() {
    package="${arguments[0]:-}"
    [[ -z "$package" ]] || return 0
    needs dpkg-shlibdeps
    part "packaging/deb.sh"
    package="$PACKAGES/annals.deb"
    mkdir -p "$PACKAGES"
    bash packaging/deb.sh "$package" >"$PACKAGES/deb.log" 2>&1 || fail "packaging/deb.sh: $(tail -3 "$PACKAGES/deb.log")"
}

# copy_of FOLDER: a copy to work on, in $work, at $root.
copy_of() {
    work="$(mktemp -d "$PACKAGES/test.XXXXXX")"
    chmod 755 "$work"
    root="$work/root"
    cp -a --reflink=auto "$1" "$root"
}

# in_root COMMAND...: as root in $root, with nothing of this machine's environment.
in_root() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}
