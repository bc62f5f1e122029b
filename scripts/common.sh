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

# is_ours <folder> <marker>: true when claim_folder put its marker there.
is_ours() { [ -d "$1" ] && [ -O "$1" ] && [ -f "$1/$2" ] && [ ! -L "$1/$2" ] && [ -O "$1/$2" ]; }

# claim_folder <folder> <marker> <option that names the folder> [<file that may be in it>]
# Makes it, for its owner alone, or takes an empty one. Whatever has another use is refused and left as it is: its rights
# are not ours to change, nor its files to remove later.
claim_folder() {
  local folder=$1 others
  if ! is_ours "$folder" "$2"; then
    if [ -e "$folder" ] || [ -L "$folder" ]; then
      others=$(ls -A "$folder" 2>/dev/null | grep -vxF -- "${4:-}" | head -n 1) || true
      if [ ! -d "$folder" ] || [ ! -O "$folder" ] || [ -n "$others" ] || [ -n "$(find -H "$folder" -maxdepth 0 \( -perm -1000 -o -perm -0002 \))" ]; then
        die "Using the folder $folder failed: it is in use for something else${others:+ ($others is in it)}, or open to others." \
          "Give a new or empty one with $3."
      fi
    else
      mkdir -p "$(dirname "$folder")"
      mkdir -m 700 "$folder"
    fi
    : >"$folder/$2"
  fi
  chmod 700 "$folder"
}

# remove_claimed <folder> <marker> <name pattern…>: those files and the marker, then the folder if nothing else is in it.
remove_claimed() {
  local folder=$1 marker=$2 name
  shift 2
  for name; do find "$folder" -mindepth 1 -maxdepth 1 ! -type d -name "$name" -delete; done
  rm -f "$folder/$marker"
  if rmdir "$folder" 2>/dev/null; then return 0; fi
  say "$folder stays, since other things are in it: $(ls -A "$folder" | head -n 5 | tr '\n' ' ')"
}

# install_packages <package…>: those that this Debian has; says first what it is about to do.
install_packages() {
  local log
  log=$(mktemp)
  say "Installing Debian packages with apt-get: $*"
  if ! {
    apt-get update -qq && apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
  } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "Installing the Debian packages $* failed; the reason stands above, everything in $log" \
      'Check that apt-get update and apt-get install work, then run this again.'
  fi
  rm -f "$log"
}

require_node() {
  has node || die 'Setting up failed: Node.js is not installed.' 'Install Node.js 20.19 or newer, then run this again.'
  has npm || die 'Setting up failed: npm is not installed.' 'Install npm (it comes with Node.js), then run this again.'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Setting up failed: Node.js $(node --version) is too old." 'Install Node.js 20.19 or newer, then run this again.'
}

# has_go: true with a toolchain that builds the resident, which is on PATH from then on. go_missing says what is wrong else.
readonly oldest_go=1.24
has_go() {
  local version
  # Where Go installs itself.
  if ! has go && [ -x /usr/local/go/bin/go ]; then PATH=$PATH:/usr/local/go/bin; fi
  go_missing='there is no Go toolchain'
  has go || return 1
  version=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
  go_missing="the Go toolchain is too old (${version#go})"
  [ "$(printf '%s\n' "go$oldest_go" "$version" | sort -V | head -n 1)" = "go$oldest_go" ]
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
