import type { ContainerStats, ListeningPort } from '../ports.ts';
import { plainLine } from '../../text/plain-text.ts';
import { failureReason, runShortCommand } from './run-short-command.ts';
import type { EngineWorld } from './engine-process.ts';
import { needsResident } from './needs-resident.ts';

const TIMEOUT_MS = 10_000;
const KEPT_BYTES = 1_048_576;
const LISTENING = '0A';

const SOCKETS = 'for f in tcp tcp6; do echo "= $f"; cat "/proc/net/$f" 2>/dev/null; done; :';
/** cgroup v2, then v1. */
const COUNTERS = `one() { name=$1; shift; for f; do [ -r "$f" ] && { printf '%s ' "$name"; head -n 1 "$f"; return; }; done; }
c=/sys/fs/cgroup
one current $c/memory.current $c/memory/memory.usage_in_bytes
one max $c/memory.max $c/memory/memory.limit_in_bytes
one pids $c/pids.current $c/pids/pids.current
one pids_max $c/pids.max $c/pids/pids.max
one usage_nsec $c/cpuacct/cpuacct.usage
sed -n 's/^usage_usec /usage_usec /p' $c/cpu.stat 2>/dev/null
sed -n 's/^oom_kill /oom_kills /p' $c/memory.events $c/memory/memory.oom_control 2>/dev/null
:`;

/** What listens, as `/proc/net` tells it: without the programs that do. Needs `/bin/sh` and `cat` in the container. */
export async function readPorts(world: EngineWorld, signal: AbortSignal | undefined): Promise<ListeningPort[]> {
  const text = await readText(world, 'Listing the ports of the container', SOCKETS, signal);
  let family: 4 | 6 = 4;
  const found = new Map<string, ListeningPort>();
  for (const line of text.split('\n')) {
    if (line.startsWith('= ')) family = line === '= tcp6' ? 6 : 4;
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [host = '', port = ''] = local.split(':');
    if (state !== LISTENING || !/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(host) || !/^[0-9A-F]{4}$/.test(port)) continue;
    const listener = { port: Number.parseInt(port, 16), address: addressOf(host), family };
    found.set(JSON.stringify(listener), listener);
  }
  return [...found.values()];
}

/** From the control group's files; what cannot be read is `null`. */
export async function readStats(world: EngineWorld, signal: AbortSignal | undefined): Promise<ContainerStats> {
  const text = await readText(world, 'Reading the statistics of the container', COUNTERS, signal);
  const values = new Map(text.split('\n').map((line) => line.trim().split(/\s+/) as [string, string]));
  const value = (name: string): number | null => {
    const number = Number(values.get(name) ?? Number.NaN);
    // v1 says "no limit" by a number that is larger than any machine.
    return Number.isSafeInteger(number) && number < 2 ** 52 ? number : null;
  };
  const nanoseconds = value('usage_nsec');
  return {
    memory: { current: value('current'), max: value('max'), oomKills: value('oom_kills') },
    cpu: { usageUsec: value('usage_usec') ?? (nanoseconds === null ? null : Math.trunc(nanoseconds / 1_000)) },
    pids: { current: value('pids'), max: value('pids_max') },
    residentBytes: null,
  };
}

async function readText(
  { engine, clock, containerId, user }: EngineWorld,
  doing: string,
  script: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const spec = { containerId, argv: ['/bin/sh', '-c', script], user, timeoutMs: TIMEOUT_MS, keptBytes: KEPT_BYTES };
  const result = await runShortCommand(engine, clock, spec, signal ?? new AbortController().signal);
  if (result.exitCode !== 0) throw needsResident(doing, plainLine(failureReason(result)));
  return result.stdout;
}

/** The kernel writes each 32 bits in the order of a little-endian machine. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).toReversed().map((byte) => Number.parseInt(byte, 16)),
  );
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0));
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1);
}
