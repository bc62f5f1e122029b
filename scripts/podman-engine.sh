# Sourced by engine.sh: a private Podman with its Docker-compatible service, in namespaces of its own.
# shellcheck shell=bash disable=SC2154

# Root's instances of Podman share much of a machine: locks in /dev/shm, addresses and the name server's settings in /run,
# bridges, the firewall. So this one gets a network of its own, in which there is nothing else, and a /run and /dev/shm of
# its own. All of that goes with its last process, and a new beginning of the namespaces is to Podman what a boot is.

podman_variable=AGENTCONTAINERS_ENGINE

is_podman_folder() { [ -e "$engine_dir/podman.log" ]; }

# podman_program <name>: a program of Podman's that is not on PATH.
podman_program() {
  local at
  for at in "/usr/lib/podman/$1" "/usr/libexec/podman/$1" "/usr/local/libexec/podman/$1" "$(command -v "$1")"; do
    if [ -n "$at" ] && [ -x "$at" ]; then
      printf '%s\n' "$at"
      return 0
    fi
  done
  return 1
}

# What stands in for init in a container; any of the three does.
podman_init() { podman_program catatonit || podman_program tini || podman_program docker-init; }

install_podman() {
  local missing=()
  has podman || missing+=(podman)
  podman_program netavark >/dev/null || missing+=(netavark)
  podman_program aardvark-dns >/dev/null || missing+=(aardvark-dns)
  podman_init >/dev/null || missing+=(catatonit)
  has iptables || missing+=(iptables)
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! is_debian || ! is_root; then
    if has podman; then return 0; fi
    die 'Installing Podman failed: that is possible from here only on Debian as root.' \
      'Install Podman 4.3 or newer with netavark and aardvark-dns, then run this again.'
  fi
  install_packages "${missing[@]}"
}

# Processes of this engine but for those in containers: the service, the monitors, the name server, the namespaces' holder.
# A monitor of an exec, which stays for minutes after that, has another environment.
podman_processes() {
  local at
  # grep fails on each process that ends meanwhile.
  {
    grep -lszxF -- "$podman_variable=$engine_dir" /proc/[0-9]*/environ || true
    for at in $(grep -lsxF conmon /proc/[0-9]*/comm || true); do
      grep -lsF -- "$engine_dir/data/" "${at%comm}cmdline" || true
    done
  } | cut -d/ -f3 | sort -u
}

# is_podman_process <pid>
is_podman_process() { runs "$1" && podman_processes | grep -x -- "$1" >/dev/null; }

# The process that keeps the namespaces while no service runs.
podman_holder() {
  local pid
  pid=$(cat "$engine_dir/namespaces" 2>/dev/null) || return 1
  is_podman_process "$pid" || return 1
  printf '%s\n' "$pid"
}

# podman_service_pid: of the service that answers on the socket.
podman_service_pid() {
  local pid
  pid=$(cat "$engine_dir/pid" 2>/dev/null) || return 1
  is_podman_process "$pid" || return 1
  printf '%s\n' "$pid"
}

# Makes the namespaces and prints the process that holds them.
make_podman_namespaces() {
  local log=$engine_dir/podman.log pid end=$((SECONDS + 10))
  rm -f "$engine_dir/namespaces"
  # shellcheck disable=SC2016 # what stands there is for the inner shell
  env -i PATH="$PATH" "$podman_variable=$engine_dir" setsid unshare --mount --net --propagation slave bash -c '
    mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
    if command -v ip >/dev/null; then ip link set lo up; else busybox ip link set lo up; fi || exit 1
    echo $$ >"$1/namespaces"
    exec sleep infinity
  ' bash "$engine_dir" </dev/null >>"$log" 2>&1 9>&- &
  while [ $SECONDS -lt $end ]; do
    if pid=$(podman_holder); then
      printf '%s\n' "$pid"
      return 0
    fi
    runs $! || return 1
    sleep 0.05
  done
  return 1
}

# Sets podman_command to a command that runs podman with the arguments given, in the namespaces and with settings of its
# own: nothing of what root's Podman is told counts.
prepare_podman() {
  podman_command=(env -i PATH="$PATH" HOME="$engine_dir" "$podman_variable=$engine_dir"
    CONTAINERS_CONF="$engine_dir/containers.conf" CONTAINERS_STORAGE_CONF="$engine_dir/storage.conf"
    CONTAINERS_REGISTRIES_CONF="$engine_dir/registries.conf"
    nsenter --mount --net --target "$(podman_holder)" podman "$@")
}

in_podman() {
  local podman_command
  prepare_podman "$@"
  "${podman_command[@]}"
}

write_podman_settings() {
  local runtime=crun driver
  has runc && runtime=runc
  # One number for both limits: some versions give them to a container in the wrong order.
  cat >"$engine_dir/containers.conf" <<TEXT
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
init_path = "$(podman_init)"
[engine]
runtime = "$runtime"
cgroup_manager = "cgroupfs"
events_logger = "file"
events_logfile_max_size = "100m"
[network]
network_backend = "netavark"
network_config_dir = "$engine_dir/networks"
TEXT
  printf '[[registry]]\nlocation = "docker.io"\nblocked = true\n' >"$engine_dir/registries.conf"
  # The folder may lie on a file system that cannot be laid over.
  for driver in overlay vfs; do
    printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "/run/containers/storage"\n' \
      "$driver" "$engine_dir/data" >"$engine_dir/storage.conf"
    if in_podman info >/dev/null 2>>"$engine_dir/podman.log"; then return 0; fi
    rm -rf --one-file-system "$engine_dir/data"
  done
  return 1
}

launch_podman() {
  local host=$1 pid podman_command end=$((SECONDS + 30))
  rm -f "$engine_dir/podman.sock"
  prepare_podman system service --time=0 "$host"
  setsid "${podman_command[@]}" </dev/null >>"$engine_dir/podman.log" 2>&1 9>&- &
  pid=$!
  printf '%s\n' "$pid" >"$engine_dir/pid"
  while [ $SECONDS -lt $end ]; do
    if answers "$host"; then return 0; fi
    runs "$pid" || return 1
    sleep 0.1
  done
  stop_process "$pid"
  return 1
}

# Prints the address. A service that was killed is started again beside the containers that run on without it.
start_podman() {
  local host=unix://$engine_dir/podman.sock reason=''
  if podman_service_pid >/dev/null && answers "$host"; then
    printf '%s\n' "$host"
    return
  fi
  is_root || die 'Starting a private Podman failed: that needs root.' 'Run this as root, or start Podman with its socket yourself.'
  has podman && podman_program netavark >/dev/null ||
    die 'Starting a private Podman failed: Podman with netavark is not installed.' \
      'Run scripts/engine.sh install --engine podman, then this again.'
  say "Starting a private Podman in $engine_dir"
  : >>"$engine_dir/podman.log"
  if ! podman_holder >/dev/null; then
    end_podman_processes
    if ! make_podman_namespaces >/dev/null; then reason='the namespaces could not be made'; fi
  fi
  if [ -z "$reason" ] && [ ! -e "$engine_dir/storage.conf" ] && ! write_podman_settings; then reason='podman info failed'; fi
  if [ -z "$reason" ] && launch_podman "$host"; then
    printf '%s\n' "$host"
    return
  fi
  tail -n 3 "$engine_dir/podman.log" >&2 || true
  end_podman_processes
  die "Starting a private Podman failed: ${reason:-its service did not begin to answer}; its log is $engine_dir/podman.log" \
    'Start Podman with its socket yourself, or use Docker, then run this again.'
}

# Everything it started, containers too. Monitors first, since each starts a process when its container ends.
end_podman_processes() {
  local pid id at
  for _ in 1 2 3; do
    for pid in $(podman_processes); do kill -KILL "$pid" 2>/dev/null || true; done
    for id in $(podman_containers); do
      grep -lsF -- "libpod-$id" /proc/[0-9]*/cgroup | cut -d/ -f3 | while read -r pid; do
        kill -KILL "$pid" 2>/dev/null || true
      done || true
    done
    [ -n "$(podman_processes)" ] || break
    sleep 0.2
  done
  for id in $(podman_containers); do
    find /sys/fs/cgroup -maxdepth 4 -depth -type d -name "libpod*-$id*" 2>/dev/null | while read -r at; do
      find "$at" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done || true
  done
}

# Ids of the containers that are there.
podman_containers() {
  local at
  for at in "$engine_dir"/data/*-containers/*/; do
    [ -d "$at" ] && basename "$at"
  done || true
}

# stop_podman: true when it ran.
stop_podman() {
  local pid
  pid=$(podman_holder) || true
  if [ -n "$pid" ] && [ "$purge" = no ]; then
    in_podman stop --all --time 10 >/dev/null 2>>"$engine_dir/podman.log" || true
  fi
  end_podman_processes
  [ -n "$pid" ]
}

podman_files=(podman.sock podman.log containers.conf storage.conf registries.conf namespaces)
