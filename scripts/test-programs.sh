#!/usr/bin/env bash
# Installs what some tests run besides an engine, on Debian as root: shells, for which there is completion, and an emulator of
# arm64, for which there is a resident. Where that is not possible those tests are skipped, and say so.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export DEBIAN_FRONTEND=noninteractive

wanted=()
for shell in zsh fish; do has "$shell" || wanted+=("$shell"); done
emulates=no
if [ "$(uname -sm)" = 'Linux x86_64' ]; then
  emulates=yes
  has qemu-aarch64-static || wanted+=(qemu-user-static)
fi

if ! is_debian || ! is_root; then
  [ ${#wanted[@]} -eq 0 ] || say "Not installed, and tests that need it are skipped: ${wanted[*]}"
  exit 0
fi
[ ${#wanted[@]} -eq 0 ] || install_packages "${wanted[@]}"

# The kernel hands programs of arm64 to the emulator; the package registers it only where systemd runs.
binfmt=/proc/sys/fs/binfmt_misc
registration=/usr/lib/binfmt.d/qemu-aarch64.conf
if [ $emulates = yes ] && [ ! -e $binfmt/qemu-aarch64 ] && [ -e $registration ]; then
  [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt 2>/dev/null || true
  cat $registration >$binfmt/register 2>/dev/null ||
    say 'Programs of arm64 cannot be run here: the kernel takes no emulator. Tests that need it are skipped.'
fi
