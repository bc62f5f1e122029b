# Sourced by the other scripts: messages, the places things live in, and the Node check.
# shellcheck shell=bash disable=SC2034

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
state_home=${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/agentcontainers
readonly repository state_home

# Everything meant for a person goes to standard error, so that standard output can be captured.
say() { printf '%s\n' "$*" >&2; }
step() { printf '\n==> %s\n' "$*" >&2; }

# die <what failed and why> [<next step>]
die() {
  printf '\n%s\n' "$1" >&2
  if [ $# -gt 1 ]; then printf '%s\n' "$2" >&2; fi
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }
is_debian() { [ -e /etc/debian_version ] && has apt-get; }

# runs <pid>: false also for one that has ended and that nobody has taken note of yet.
runs() { [[ $(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) == [!ZX]* ]]; }

# stop_process <pid> [<seconds>]: TERM, up to 20 seconds, then KILL.
stop_process() {
  local end=$((SECONDS + ${2:-20}))
  kill "$1" 2>/dev/null || return 0
  while runs "$1"; do
    if [ $SECONDS -ge $end ]; then
      kill -KILL "$1" 2>/dev/null || true
      return 0
    fi
    sleep 0.1
  done
}

require_node() {
  has node || die 'Setting up failed: Node.js is not installed.' 'Install Node.js 20.19 or newer, then run this again.'
  has npm || die 'Setting up failed: npm is not installed.' 'Install npm (it comes with Node.js), then run this again.'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Setting up failed: Node.js $(node --version) is too old." 'Install Node.js 20.19 or newer, then run this again.'
}

# Installs what package-lock.json asks for, unless exactly that was installed before.
install_npm_packages() {
  local stamp=$repository/node_modules/.agentcontainers-lock wanted
  wanted=$(cksum <"$repository/package-lock.json")
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    say 'npm packages: already installed.'
    return
  fi
  (cd "$repository" && npm ci --no-audit --no-fund >&2) ||
    die 'Installing the npm packages failed; the reason stands above.' 'Check that npm reaches its registry (npm ping), then run this again.'
  printf '%s\n' "$wanted" >"$stamp"
}
