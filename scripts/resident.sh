#!/usr/bin/env bash
# Builds the resident, the sub-agent of this package, into assets/resident, unless what is there was built from the same
# sources. Without a Go toolchain whole programs that are there already stay. --required: without one it fails, as it must for
# what is published.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly out=$repository/assets/resident
if ! has_go; then
  if [ "${1:-}" = --required ]; then
    die "Building the resident failed: $go_missing." "Install Go $oldest_go or newer (https://go.dev/doc/install), then run this again."
  fi
  if [ -s "$out/SHA256SUMS" ] && (cd "$out" && sha256sum --check --status SHA256SUMS 2>/dev/null); then
    say "The resident stays as it was built before: $go_missing. After changes of it install Go $oldest_go or newer, then run: npm run build"
    exit 0
  fi
  say "The resident is not built: $go_missing. Dev containers get the sub-agent of a shell script, and commands go through the"
  say "engine. To have it install Go $oldest_go or newer (https://go.dev/doc/install), then run: npm run build"
  rm -rf "$out"
  exit 0
fi
version=$(cd / && GOTOOLCHAIN=local go env GOVERSION)

# What the result depends on.
sources=$({
  printf '%s\n' "$version"
  cd "$repository/resident" && find . -type f ! -name '*_test.go' -print0 | sort -z | xargs -0 sha256sum
} | sha256sum)
if [ "$(cat "$out/.sources" 2>/dev/null)" = "$sources" ] && (cd "$out" && sha256sum --check --status SHA256SUMS); then exit 0; fi

say "Building the resident with ${version/go/Go } for linux/amd64 and linux/arm64."
mkdir -p "$out"
GOTOOLCHAIN=local sh "$repository/resident/build.sh" "$out"
printf '%s\n' "$sources" >"$out/.sources"
