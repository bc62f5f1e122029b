import type { ContainerMount } from '../agentcontainers/model/container.ts';

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
    const line = parseLine(text);
    if (line) byPath.set(line.path, line);
  }
  const isTakenCovered = byPath.has(taken);
  const found: MountCandidate[] = [];
  for (const { path, type, usable } of byPath.values()) {
    if (!usable || PSEUDO_TYPES.has(type) || binds.has(path) || /^\/(proc|sys|dev|etc)(\/|$)/.test(path)) continue;
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

interface MountLine {
  readonly path: string;
  readonly type: string;
  /** Writable, and programs may run from it. */
  readonly usable: boolean;
}

/** `id parent dev root path options [optional…] - type source superOptions`. */
function parseLine(text: string): MountLine | undefined {
  const [before, after] = text.split(' - ', 2);
  const path = before?.split(' ')[4];
  const options = before?.split(' ')[5]?.split(',');
  const [type, , superOptions] = after?.split(' ') ?? [];
  if (path === undefined || !path.startsWith('/') || !options || type === undefined) return undefined;
  const readOnly = !options.includes('rw') || (superOptions?.split(',').includes('ro') ?? false);
  return { path: unescape(path), type, usable: !readOnly && !options.includes('noexec') };
}

/** The kernel writes space, tab, line feed and backslash as three octal digits. */
function unescape(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
