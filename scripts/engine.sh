#!/usr/bin/env bash
# Finds a container engine or, on Debian as root, installs and starts a private one.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/podman-engine.sh
. "$(dirname "${BASH_SOURCE[0]}")/podman-engine.sh"

usage() {
  cat <<'TEXT'
usage: scripts/engine.sh <command> [--engine docker|podman] [--dir <folder>] [--isolated] [--purge]

  ensure       use the engine that is reachable and leave it alone; else install and start a private one.
               Prints DOCKER_HOST=<address> on standard output.
  start        start the private engine, whatever else is there. Prints DOCKER_HOST=<address>.
  install      install what a private engine needs (Debian, root); does nothing when it is there.
  down         stop the private engine of that folder; never any other.
  base-image   make the small offline image agentcontainers-base:1 in the engine that DOCKER_HOST
               names, or else in the one that is reachable.
  status       say which engine would be used.

  --engine     with install and start: which private engine, docker unless it is given. A private Podman needs root;
               its containers do not reach the outside.
  --dir        folder of the private engine (default: agentcontainers/engine in the user's state home).
  --isolated   give the private engine its own bridge and no firewall rules, as tests need it.
  --purge      with down: remove its data also when containers are in it.
TEXT
}

export DEBIAN_FRONTEND=noninteractive
base_image=agentcontainers-base:1
engine_dir=$state_home/engine
marker=.agentcontainers-engine
isolated=no
purge=no
kind=docker

# ------------------------------------------------------------------------------------------------ finding one

# answers <address>: true when an engine answers there.
answers() {
  case $1 in
    unix://* | tcp://*)
      if [ -n "${DOCKER_TLS_VERIFY:-}" ] && [ "${1#tcp://}" != "$1" ]; then
        has docker && timeout 10 docker -H "$1" version >/dev/null 2>&1
        return
      fi
      node -e '
        const at = process.argv[1];
        const where = at.startsWith("unix://")
          ? { socketPath: at.slice("unix://".length) }
          : { host: new URL(at).hostname, port: new URL(at).port || 2375 };
        const fail = () => process.exit(1);
        setTimeout(fail, 3000);
        require("node:http").get({ ...where, path: "/_ping" }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on("error", fail);
      ' "$1" 2>/dev/null
      ;;
    *) has docker && timeout 15 docker -H "$1" version >/dev/null 2>&1 ;;
  esac
}

# The places where an engine can be, one a line, in the order in which the program itself looks.
places() {
  local run=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
  [ -z "${DOCKER_HOST:-}" ] || printf '%s\n' "$DOCKER_HOST"
  if has docker; then
    DOCKER_HOST='' timeout 10 docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true
  fi
  printf '%s\n' \
    "unix://$run/docker.sock" "unix://${HOME:-/root}/.docker/run/docker.sock" unix:///var/run/docker.sock \
    "unix://$run/podman/podman.sock" unix:///run/podman/podman.sock "unix://$engine_dir/docker.sock"
}

find_engine() {
  local at
  while read -r at; do
    if [ -n "$at" ] && answers "$at"; then
      printf '%s\n' "$at"
      return 0
    fi
  done < <(places | awk '!seen[$0]++')
  return 1
}

# ------------------------------------------------------------------------------------------- installing

has_compose() { has docker-compose || { has docker && docker compose version >/dev/null 2>&1; }; }
static_busybox() {
  local at
  for at in /bin/busybox /usr/bin/busybox /usr/lib/busybox/busybox; do
    # ldd fails on what it says this about.
    if [ -x "$at" ] && [[ $(ldd "$at" 2>&1) =~ 'not a dynamic'|'statically linked' ]]; then
      printf '%s\n' "$at"
      return 0
    fi
  done
  return 1
}

install_engine() {
  local missing=()
  has dockerd || missing+=(docker.io)
  has iptables || missing+=(iptables)
  has_compose || missing+=(docker-compose)
  static_busybox >/dev/null || missing+=(busybox-static)
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! is_debian || ! is_root; then
    if has dockerd; then return 0; fi
    die 'Finding a container engine failed: none answers, and one can be installed from here only on Debian as root.' \
      'Start Docker (or Podman with its socket), or set DOCKER_HOST to one that runs, then run this again.'
  fi
  install_packages "${missing[@]}"
  # From Debian 13 on the client is a package of its own.
  has docker || install_packages docker-cli
}

# ------------------------------------------------------------------------------------- the private engine

engine_pid() {
  local pid
  pid=$(cat "$engine_dir/pid" 2>/dev/null) || return 1
  # A number from before a reboot may belong to any process by now.
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "--data-root $engine_dir/data" || return 1
  printf '%s\n' "$pid"
}

network() { if has ip; then ip "$@"; else busybox ip "$@"; fi; }

# Another dockerd owns docker0 and the firewall chains: two on one bridge give out the same addresses.
another_dockerd() {
  local at
  for at in /proc/[0-9]*/comm; do
    [ "$(cat "$at" 2>/dev/null)" = dockerd ] && return 0
  done
  return 1
}

# Makes a bridge of our own and prints its name.
own_bridge() {
  local name subnet
  name=acbr$(printf '%s' "$engine_dir" | cksum | cut -d' ' -f1)
  name=${name:0:14}
  if ! network link show "$name" >/dev/null 2>&1; then
    network link add name "$name" type bridge >&2 || return 1
    for subnet in $(seq 0 31); do
      network -4 route show | grep -q "^10\.213\.$subnet\." && continue
      network addr add "10.213.$subnet.1/24" dev "$name" >&2 && network link set dev "$name" up >&2 && break
    done
  fi
  printf '%s\n' "$name" >"$engine_dir/bridge"
  printf '%s\n' "$name"
}

# launch <dockerd option…>: true when the engine answers, false when it ended or 30 seconds went by.
launch() {
  local log=$engine_dir/dockerd.log pid
  printf -- '--- dockerd %s\n' "$*" >>"$log"
  setsid dockerd --data-root "$engine_dir/data" --exec-root "$engine_dir/exec" --pidfile "$engine_dir/pid" \
    -H "unix://$engine_dir/docker.sock" "$@" </dev/null >>"$log" 2>&1 9>&- &
  pid=$!
  local end=$((SECONDS + 30))
  while [ $SECONDS -lt $end ]; do
    if answers "unix://$engine_dir/docker.sock"; then return 0; fi
    runs "$pid" || return 1
    sleep 0.1
  done
  stop_process "$pid"
  return 1
}

start_engine() {
  local bridge network_options=() host
  # An engine that was started before there were markers is ours as well.
  if ! engine_pid >/dev/null; then claim_folder "$engine_dir" "$marker" --dir owner; fi
  engine_dir=$(cd "$engine_dir" && pwd -P)
  [ ${#engine_dir} -le 70 ] ||
    die "Starting a private engine failed: the path of its folder is too long for a socket ($engine_dir)." \
      'Set XDG_STATE_HOME to a shorter path, then run this again.'
  exec 9>"$engine_dir/lock"
  flock -w 120 9 || die "Starting a private engine failed: another process has held $engine_dir/lock for two minutes." \
    'Wait for that process to end, then run this again.'
  if [ "$kind" = podman ]; then
    [ ! -e "$engine_dir/dockerd.log" ] || die "Starting a private Podman failed: $engine_dir is the folder of a private Docker." \
      'Give another one with --dir.'
    start_podman
    return
  fi
  ! is_podman_folder || die "Starting a private Docker failed: $engine_dir is the folder of a private Podman." \
    'Give another one with --dir.'
  host=unix://$engine_dir/docker.sock
  if engine_pid >/dev/null && answers "$host"; then
    printf '%s\n' "$host"
    return
  fi
  is_root || die 'Starting a private engine failed: that needs root.' 'Run this as root, or start Docker yourself.'
  has dockerd || die 'Starting a private engine failed: dockerd is not installed.' 'Run scripts/engine.sh install, then this again.'
  stop_leftovers
  rm -f "$engine_dir/pid"
  if [ "$isolated" = yes ] || another_dockerd; then
    bridge=$(own_bridge) || die 'Starting a private engine failed: no bridge of its own could be made; the reason stands above.' \
      'Stop the other dockerd, or set DOCKER_HOST to it, then run this again.'
    network_options=(--bridge "$bridge" --iptables=false)
    [ "$isolated" = yes ] || say 'Another dockerd runs here: the private engine leaves its firewall rules alone, so its containers do not reach the outside.'
  fi
  say "Starting a private engine in $engine_dir"
  if ! launch "${network_options[@]}"; then
    if [ ${#network_options[@]} -gt 0 ] || ! launch --iptables=false; then
      grep -aE 'failed|rror' "$engine_dir/dockerd.log" | tail -n 3 >&2 || true
      die "Starting a private engine failed; its log is $engine_dir/dockerd.log" \
        'Start Docker (or Podman with its socket) yourself, or set DOCKER_HOST to one that runs, then run this again.'
    fi
    say 'The firewall cannot be changed here: containers of the private engine do not reach the outside.'
  fi
  printf '%s\n' "$host"
}

# What a killed dockerd left behind: processes of its containers, their shims and its containerd.
stop_leftovers() {
  local at pid id
  for id in "$engine_dir"/data/containers/*; do
    [ -d "$id" ] || continue
    grep -lsF -- "${id##*/}" /proc/[0-9]*/cgroup | while read -r at; do
      pid=${at#/proc/}
      kill -KILL "${pid%/cgroup}" 2>/dev/null || true
    done || true
  done
  for at in /proc/[0-9]*/cmdline; do
    pid=${at#/proc/}
    pid=${pid%/cmdline}
    if { tr '\0' ' ' <"$at"; } 2>/dev/null | grep -qF -- "$engine_dir/exec/containerd/"; then
      kill -KILL "$pid" 2>/dev/null || true
    fi
  done
  # A number in it that somebody else has by now, or that is not cleared away yet, reads as a containerd that runs.
  rm -f "$engine_dir/exec/containerd/containerd.pid"
}

# The firewall rules that name that bridge; they are its engine's.
remove_rules() {
  local table rule
  has iptables || return 0
  for table in filter nat; do
    iptables -w -t "$table" -S 2>/dev/null | grep -wF -- "$1" | grep '^-A ' | while read -ra rule; do
      iptables -w -t "$table" -D "${rule[@]:1}" 2>/dev/null || true
    done || true
  done
}

# Bridges and the host's ends of containers that a killed engine did not take with it.
remove_links() {
  local name at
  {
    cat "$engine_dir/bridge"
    grep -aoE 'br-[0-9a-f]{12}' "$engine_dir/data/network/files/local-kv.db"
  } 2>/dev/null | sort -u | while read -r name; do
    for at in "/sys/class/net/$name/brif/"*; do
      [ ! -e "$at" ] || network link delete "${at##*/}" 2>/dev/null || true
    done
    network link delete "$name" 2>/dev/null || true
    remove_rules "$name"
  done || true
}

stop_engine() {
  local pid containers at
  if [ ! -d "$engine_dir" ]; then
    say 'No private engine was started.'
    return
  fi
  engine_dir=$(cd "$engine_dir" && pwd -P)
  if ! is_ours "$engine_dir" "$marker" && ! engine_pid >/dev/null; then
    say "No private engine was started in $engine_dir, so nothing is touched there."
    return
  fi
  containers=$(ls -A "$engine_dir/data/containers" 2>/dev/null) || true
  if is_podman_folder; then
    containers=$(podman_containers)
    if stop_podman; then say 'The private engine is stopped.'; fi
  elif pid=$(engine_pid); then
    # What goes away needs no polite end, which takes ten seconds for each container that ignores TERM.
    [ "$purge" = no ] || kill -KILL "$pid" 2>/dev/null || true
    stop_process "$pid"
    say 'The private engine is stopped.'
  fi
  stop_leftovers
  # Deepest first; what is mounted below our folder was mounted by our engine.
  awk -v dir="$engine_dir/" 'index($2, dir) == 1 { print length($2), $2 }' /proc/mounts | sort -rn | cut -d' ' -f2- |
    while read -r at; do umount "$at" 2>/dev/null || umount -l "$at" 2>/dev/null || true; done || true
  if [ -n "$containers" ] && [ "$purge" = no ]; then
    say "Its data stays in $engine_dir, since containers are in it; scripts/engine.sh down --purge removes it."
    return
  fi
  remove_links
  rm -rf --one-file-system "$engine_dir/data" "$engine_dir/exec" "$engine_dir/networks"
  remove_claimed "$engine_dir" "$marker" pid lock docker.sock dockerd.log bridge owner "${podman_files[@]}"
  say "Its data in $engine_dir is removed. The Debian packages stay."
}

# ------------------------------------------------------------------------------------------ the base image

# A root file system in <folder>: busybox, links for all of its applets, users root and dev.
fill_root() {
  local root=$1 applet
  mkdir -p "$root"/{bin,dev,etc,home/dev,proc,root,sys,tmp,usr/bin,var,workspaces}
  chmod 1777 "$root/tmp"
  chmod 700 "$root/root"
  cp "$2" "$root/bin/busybox"
  chmod 755 "$root/bin/busybox"
  "$2" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  ln -s ../../bin/env "$root/usr/bin/env"
  printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'dev:x:1000:1000:dev:/home/dev:/bin/sh' >"$root/etc/passwd"
  printf '%s\n' 'root:x:0:' 'tty:x:5:' 'dev:x:1000:' >"$root/etc/group"
  printf '%s\n' 'NAME="agentcontainers base"' 'ID=busybox' 'VERSION_ID=1' 'PRETTY_NAME="agentcontainers base 1 (busybox)"' >"$root/etc/os-release"
}

make_base_image() {
  local client=docker busybox work digest label=org.opencontainers.image.revision
  has docker || client=podman
  # Without it, podman works on the images of whoever calls it.
  if [ "$client" = podman ] && [ -n "${DOCKER_HOST:-}" ]; then export CONTAINER_HOST=$DOCKER_HOST; fi
  has "$client" || die 'Making the base image failed: neither the docker nor the podman command is installed.' \
    'Install the client of your engine, then run this again.'
  if [ "$client" = docker ] && [ -z "${DOCKER_HOST:-}" ]; then
    DOCKER_HOST=$(find_engine) || die 'Making the base image failed: no engine answers.' 'Run scripts/engine.sh ensure first.'
    export DOCKER_HOST
  fi
  if ! static_busybox >/dev/null && is_debian && is_root; then install_packages busybox-static; fi
  if ! busybox=$(static_busybox); then
    "$client" image inspect busybox >/dev/null 2>&1 ||
      die 'Making the base image failed: there is no static busybox on this machine.' \
        "Install the package busybox-static, or run '$client pull busybox', then run this again."
    # Not with adduser: some builds of busybox do without it.
    printf '%s\n' 'FROM busybox' \
      "RUN echo dev:x:1000:1000:dev:/home/dev:/bin/sh >>/etc/passwd && echo dev:x:1000: >>/etc/group" \
      "RUN mkdir -p /home/dev /usr/bin /workspaces && chown 1000:1000 /home/dev" \
      "RUN [ -e /usr/bin/env ] || ln -s /bin/env /usr/bin/env; [ -e /etc/os-release ] || echo ID=busybox >/etc/os-release" |
      "$client" build -q -t "$base_image" - >&2 || die 'Making the base image from busybox failed; the reason stands above.'
    say "Base image $base_image: made from the image busybox."
    return
  fi
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$work'" EXIT
  fill_root "$work/root" "$busybox"
  tar -C "$work/root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --exclude=./home/dev -cf "$work/root.tar" .
  tar -C "$work/root" --mtime=@0 --owner=1000 --group=1000 --numeric-owner -rf "$work/root.tar" ./home/dev
  digest=$(sha256sum "$work/root.tar" | cut -d' ' -f1)
  if [ "$("$client" image inspect --format "{{index .Config.Labels \"$label\"}}" "$base_image" 2>/dev/null)" = "$digest" ]; then
    say "Base image $base_image: already there."
    return
  fi
  "$client" import --change 'CMD ["/bin/sh"]' --change "LABEL $label=$digest" "$work/root.tar" "$base_image" >/dev/null ||
    die 'Making the base image failed; the reason stands above.'
  say "Base image $base_image: made from $busybox, nothing was downloaded."
}

# --------------------------------------------------------------------------------------------------- commands

command=${1:-}
[ $# -eq 0 ] || shift
while [ $# -gt 0 ]; do
  case $1 in
    --dir)
      engine_dir=${2:?--dir needs a folder}
      shift
      ;;
    --engine)
      kind=${2:?--engine needs docker or podman}
      shift
      ;;
    --isolated) isolated=yes ;;
    --purge) purge=yes ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done

case $kind in
  docker | podman) ;;
  *) die "Starting an engine failed: --engine takes docker or podman, not $kind." ;;
esac

case $command in
  ensure)
    require_node
    if at=$(find_engine); then
      say "Engine: $at answers; it is used as it is."
    else
      install_engine
      # On a machine with systemd the package starts the system's own engine.
      at=$(find_engine) || at=$(start_engine)
    fi
    printf 'DOCKER_HOST=%s\n' "$at"
    ;;
  start)
    at=$(start_engine)
    printf 'DOCKER_HOST=%s\n' "$at"
    ;;
  install)
    install_engine
    [ "$kind" = docker ] || install_podman
    ;;
  down) stop_engine ;;
  base-image) make_base_image ;;
  status)
    if at=$(find_engine); then say "Engine: $at"; else die 'No engine answers.' 'Run scripts/engine.sh ensure.'; fi
    ;;
  -h | --help | help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
