#!/usr/bin/env bash
# What the tests of the page need besides a binary: node 20 or later with npm, Debian's chromium, and the packages of
# package-lock.json (playwright-core to drive the browser, axe-core for accessibility, typescript for types). The browser is
# installed if it is missing and this runs as root on Debian. Exit code 77: something is missing and cannot be had here.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

missing() {
    echo "SKIPPED: $1" >&2
    exit 77
}

command -v node >/dev/null || missing "there is no node"
command -v npm >/dev/null || missing "there is no npm"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || missing "node is older than 20"
if ! command -v chromium >/dev/null && [[ -z "${CHROMIUM:-}" ]]; then
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || missing "there is no chromium, and only root on Debian can install it"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core \
        || missing "chromium cannot be installed"
fi
# What is there as the lock file says stays.
if ! cmp -s package-lock.json node_modules/.installed-lock; then
    npm ci --no-audit --no-fund --loglevel=error || missing "the packages of package-lock.json cannot be had"
    cp package-lock.json node_modules/.installed-lock
fi
