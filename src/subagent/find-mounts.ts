import type { ContainerMount } from '../agentcontainers/model/container.ts';
import { parseMountLine } from '../text/mount-line.ts';
import type { MountLine } from '../text/mount-line.ts';

/** A place in the container that may take an executable. */
export interface MountCandidate {
  /** Absolute, without a slash at its end; empty for the root. */
  readonly path: string;
  /** Whether an archive upload becomes visible there: not on a tmpfs. */
  readonly takesArchive: boolean;
}

const PSEUDO_TYPES = new Set(
  'proc sysfs cgroup cgroup2 devpts devtmpfs mqueue hugetlbfs debugfs tracefs securityfs bpf pstore fusectl configfs binfmt_misc nsfs autofs rpc_pipefs'.split(
    ' ',
  ),
);
const MAX_LINES = 2_000;
const MAX_CANDIDATES = 4;

/**
 * Places for an executable, the best first: volumes, the root, then memory. Never a bind mount, since that would write
 * into a folder of the host.
 * @param mountinfo text of /proc/self/mountinfo, untrusted; `undefined` when the container has nothing to read it with
 * @param mounts what the engine knows of the container's mounts
 * @param taken the directory that was tried already; when it is a mount of its own, the root counts as another place
 */
export function findMounts(
  mountinfo: string | undefined,
  mounts: readonly ContainerMount[],
  taken: string,
): MountCandidate[] {
  const binds = new Set(mounts.filter((mount) => mount.type === 'bind').map((mount) => mount.destination));
  const volumes = new Set(
    mounts.filter((mount) => mount.type === 'volume' && mount.writable).map((m) => m.destination),
  );
  if (mountinfo === undefined)
    return rank(
      [...volumes].map((path) => ({ path, takesArchive: true })),
      volumes,
      taken,
    );

  // A later line covers an earlier one at the same place.
  const byPath = new Map<string, MountLine>();
  for (const text of mountinfo.split('\n', MAX_LINES)) {
    const line = parseMountLine(text);
    if (line) byPath.set(line.path, line);
  }
  const isTakenCovered = byPath.has(taken);
  const found: MountCandidate[] = [];
  for (const line of byPath.values()) {
    const { path, type } = line;
    if (!isUsable(line) || PSEUDO_TYPES.has(type) || binds.has(path) || /^\/(proc|sys|dev|etc)(\/|$)/.test(path))
      continue;
    if (path === '/') {
      if (isTakenCovered) found.push({ path: '', takesArchive: true });
    } else {
      found.push({ path, takesArchive: type !== 'tmpfs' && type !== 'ramfs' });
    }
  }
  return rank(found, volumes, taken);
}

function rank(candidates: MountCandidate[], volumes: ReadonlySet<string>, taken: string): MountCandidate[] {
  const order = ({ path, takesArchive }: MountCandidate): number =>
    volumes.has(path) ? 0 : path === '' ? 1 : takesArchive ? 2 : 3;
  return candidates
    .filter(({ path }) => path !== taken && !/[\0\n]/.test(path) && !path.split('/').includes('..'))
    .sort((a, b) => order(a) - order(b) || a.path.length - b.path.length || (a.path < b.path ? -1 : 1))
    .slice(0, MAX_CANDIDATES);
}

/** Writable, and programs may run from it. */
function isUsable({ options, superOptions }: MountLine): boolean {
  return options.includes('rw') && !options.includes('noexec') && !superOptions.includes('ro');
}
