#!/bin/sh
# The default sub-agent of agentcontainers: POSIX sh, for dash, busybox ash and everything larger.
#
#   sub-agent.sh --version    prints `agentcontainers-sub-agent <version>`
#   sub-agent.sh agent        lives in the container until it is told to end or its daemon is gone
#
# On stdout: `ready <version> pid=<n>`, then `heartbeat <n>` every AGENTCONTAINERS_HEARTBEAT_SECONDS (default 30);
# `busy <reason>` and `idle` when its command says so by a line `agentcontainers-busy: <reason>` or `agentcontainers-idle`.
# On stdin: `alive` answers a heartbeat, `stop` ends it, and so does end of file.
#
# It must not outlive its daemon. A client that dies is seen as end of file. An engine that dies is not (its pipe stays
# open without a reader), so after four heartbeats without an answer it ends as well.
#
# Environment: AGENTCONTAINERS_TOKEN (needed; no child ever sees it), AGENTCONTAINERS_COMMAND (a shell command line that
# is run under the sub-agent, in a session of its own, and ends with it).

version=0.1.0
marker=agentcontainers-sub-agent
unanswered_limit=4
command_grace=3
predecessor_grace=6

say() { printf '%s\n' "$*" 2>/dev/null; }

# Sleeps for $1 seconds, cut short by a signal that has a trap in the caller. Holds no stream open.
nap() {
  sleep "$1" </dev/null >/dev/null 2>&1 &
  nap_pid=$!
  wait "$nap_pid"
}

# When process $1 began, in clock ticks: with the pid it names one process for good. Empty when there is none.
began() {
  began=
  { read -r began_line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The second field may hold anything; what follows its closing bracket does not.
  # shellcheck disable=SC2086
  set -- ${began_line##*) }
  began=${20}
}

is_number() {
  case $1 in
    '' | *[!0-9]*) return 1 ;;
  esac
  [ "${#1}" -le 9 ]
}

# ------------------------------------------------------------------------------------------ one at a time

# A directory that belongs to this user alone; a link or another owner's directory is not taken.
choose_directory() {
  uid=
  while read -r key value _; do
    [ "$key" = Uid: ] && uid=$value && break
  done 2>/dev/null </proc/self/status
  for base in "${TMPDIR:-/tmp}" /tmp /dev/shm /run "${HOME:-/root}"; do
    directory=$base/.$marker${uid:+.$uid}
    mkdir -m 700 "$directory" 2>/dev/null
    [ -d "$directory" ] && [ ! -L "$directory" ] && [ -O "$directory" ] && [ -w "$directory" ] && return 0
  done
  directory=
  return 1
}

# True when pid $1, begun at $2, is ours in the role $3 and not another process that got its number.
is_ours() {
  is_number "$1" && is_number "$2" && [ "$1" -gt 1 ] && [ "$1" != "$$" ] || return 1
  began "$1" && [ "$began" = "$2" ] || return 1
  tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -q " $3 $marker " 2>/dev/null
}

# What an earlier sub-agent left in this container: itself, or its command when it was killed.
end_predecessor() {
  old_pid= old_began= old_group= old_group_began=
  { read -r old_pid old_began old_group old_group_began _ <"$directory/pid"; } 2>/dev/null
  if is_ours "$old_pid" "$old_began" supervise; then
    kill -TERM "$old_pid" 2>/dev/null
    waited=0
    while began "$old_pid" && [ "$began" = "$old_began" ]; do
      [ "$waited" -ge "$((predecessor_grace * 5))" ] && kill -KILL "$old_pid" 2>/dev/null && break
      # A part of a second where `sleep` knows them, else a whole one.
      if sleep 0.2 2>/dev/null; then waited=$((waited + 1)); else sleep 1 && waited=$((waited + 5)); fi
    done
    say "ended predecessor pid=$old_pid"
  fi
  if is_ours "$old_group" "$old_group_began" command; then
    kill -KILL "-$old_group" 2>/dev/null
    say "ended the command of a predecessor pid=$old_group"
  fi
}

write_pid_file() {
  began "$$"
  own_began=${began:-0}
  began "${group:-none}"
  (umask 077 && printf '%s %s %s %s\n' "$$" "$own_began" "${group:-0}" "${began:-0}" >"$directory/pid") 2>/dev/null
}

remove_pid_file() {
  [ -n "$directory" ] || return 0
  old_pid=
  { read -r old_pid _ <"$directory/pid"; } 2>/dev/null
  [ "$old_pid" = "$$" ] && rm -f "$directory/pid" 2>/dev/null
}

# ---------------------------------------------------------------------------------------- the user's command

# Leader of the command's session: passes its output on with a prefix, so that it cannot be taken for ours.
lead_command() {
  command_line=$AGENTCONTAINERS_COMMAND
  unset AGENTCONTAINERS_COMMAND
  trap : TERM
  exec 3>&1
  {
    trap : TERM
    sh -c "$command_line" </dev/null 3>&-
    say "command exited $?" >&3
  } 2>&1 | {
    trap '' TERM
    busy=
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in
        'agentcontainers-busy: '*) busy=1 line="busy ${line#agentcontainers-busy: }" ;;
        agentcontainers-idle) busy='' line=idle ;;
        *) line="command: $line" ;;
      esac
      say "$line" || break
    done
    # What it had begun has ended with it.
    [ -z "$busy" ] || say idle
  }
}

start_command() {
  group=
  [ -n "${AGENTCONTAINERS_COMMAND:-}" ] || return 0
  if ! command -v setsid >/dev/null 2>&1; then
    say 'command not started: this container has no setsid, so its processes could not be ended with it'
    return 0
  fi
  setsid "$0" command "$marker" </dev/null &
  group=$!
}

# TERM, some seconds, KILL; to the whole group. (`kill -TERM -- -1` is not understood by dash and busybox.)
# Who kills has a session of its own, so that it ends with its `sleep` however early it is ended: its leader first, which
# then starts nothing more, then what it had started.
end_command() {
  [ -n "$group" ] || return 0
  if kill -TERM "-$group" 2>/dev/null; then
    setsid sh -c 'sleep "$1"; kill -KILL "-$2"' killer "$command_grace" "$group" </dev/null >/dev/null 2>&1 &
    killer=$!
    wait "$group" 2>/dev/null
    kill -KILL "$killer" 2>/dev/null
    kill -KILL "-$killer" 2>/dev/null
    kill -KILL "-$group" 2>/dev/null
  fi
  group=
}

# ------------------------------------------------------------------------------------------------- the agent

# Beats, counts answers, and is the backstop: ends the agent when nobody answers, and the command when the agent was
# killed. Beats are written by a child, since a pipe that is full and has no reader would block the guard for ever.
guard() {
  trap 'unanswered=0' USR1
  trap 'kill -KILL "$nap_pid" 2>/dev/null; guard_done' TERM
  beats=0 unanswered=0 writer=
  while :; do
    nap "$interval"
    # An answer cuts `wait` short, not the nap.
    while kill -0 "$nap_pid" 2>/dev/null; do wait "$nap_pid"; done
    if ! kill -0 "$main" 2>/dev/null; then
      [ -n "$group" ] && kill -TERM "-$group" 2>/dev/null && nap "$command_grace"
      [ -n "$group" ] && kill -KILL "-$group" 2>/dev/null
      guard_done
    fi
    if [ "$unanswered" -ge "$unanswered_limit" ]; then
      kill -TERM "$main" 2>/dev/null
      nap $((command_grace + 5))
      [ -n "$group" ] && kill -KILL "-$group" 2>/dev/null
      kill -KILL "$main" 2>/dev/null
      guard_done
    fi
    unanswered=$((unanswered + 1))
    if [ -z "$writer" ] || ! kill -0 "$writer" 2>/dev/null; then
      beats=$((beats + 1))
      say "heartbeat $beats" </dev/null &
      writer=$!
    fi
  done
}

guard_done() {
  [ -n "$writer" ] && kill -KILL "$writer" 2>/dev/null
  exit 0
}

# A shell that was just forked loses signals until it has put its traps in order; so the guard, too, has a session of its
# own where there is `setsid`, and is killed with what it started: its leader first, which then starts nothing more.
start_guard() {
  if command -v setsid >/dev/null 2>&1; then
    setsid "$0" guard "$marker" "$$" "$interval" "$group" </dev/null &
    end_guard='kill -KILL "$guard_pid"; kill -KILL "-$guard_pid"; wait "$guard_pid"'
  else
    guard </dev/null &
    end_guard='kill -TERM "$guard_pid"'
  fi
  guard_pid=$!
}

finish() {
  trap '' TERM INT HUP
  end_command
  [ -n "$guard_pid" ] && eval "$end_guard" 2>/dev/null
  remove_pid_file
  exit "$1"
}

supervise() {
  main=$$ group= guard_pid= end_guard= directory=
  interval=${AGENTCONTAINERS_HEARTBEAT_SECONDS:-30}
  if ! is_number "$interval" || [ "$interval" -lt 1 ] || [ "$interval" -gt 3600 ]; then
    say 'AGENTCONTAINERS_HEARTBEAT_SECONDS must be a number from 1 to 3600' >&2
    exit 2
  fi
  trap 'finish 143' TERM INT HUP
  # Caught, not ignored: what is ignored here would be ignored by the user's command too.
  trap : PIPE
  if choose_directory; then
    end_predecessor
    write_pid_file
  else
    say 'no directory for a pid file: a predecessor would not be ended'
  fi
  say "ready $version pid=$$"
  start_command
  [ -n "$directory" ] && [ -n "$group" ] && write_pid_file
  start_guard
  while IFS= read -r line; do
    case $line in
      stop) finish 0 ;;
      # Without its guard nothing bounds the life of this process.
      alive) kill -USR1 "$guard_pid" 2>/dev/null || finish 3 ;;
    esac
  done
  finish 0
}

case ${1:-} in
  --version)
    say "$marker $version"
    ;;
  agent)
    if [ -z "${AGENTCONTAINERS_TOKEN:-}" ]; then
      say 'AGENTCONTAINERS_TOKEN is not set; a sub-agent is started by its daemon' >&2
      exit 2
    fi
    # Started anew without it, so that it is not readable in /proc/<pid>/environ either.
    unset AGENTCONTAINERS_TOKEN
    exec "$0" supervise "$marker"
    ;;
  supervise) supervise ;;
  command) lead_command ;;
  guard)
    main=$3 interval=$4 group=$5
    guard
    ;;
  *)
    say "usage: ${0##*/} --version | agent" >&2
    exit 2
    ;;
esac
