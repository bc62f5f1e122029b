import { readFile, realpath } from 'node:fs/promises';

import { parseMountLine } from '../text/mount-line.ts';

/** Types whose changes the kernel does not tell of, because they are made elsewhere; and everything in user space. */
const REMOTE = new Set([
  '9p',
  'afs',
  'ceph',
  'cifs',
  'drvfs',
  'fakeowner',
  'gfs2',
  'glusterfs',
  'grpcfuse',
  'lustre',
  'ncpfs',
  'nfs',
  'nfs4',
  'osxfs',
  'prl_fs',
  'smb3',
  'smbfs',
  'vboxsf',
  'virtiofs',
  'vmhgfs',
]);

/** True when a file system of this type must be polled. */
export function needsPolling(type: string | undefined): boolean {
  return type !== undefined && (REMOTE.has(type) || /^fuse(?:\.|blk$|$)/.test(type));
}

/**
 * The type of the file system that holds an absolute real path, from the text of `/proc/self/mountinfo`: that of the
 * longest mount point above it, and of several on one point the last. `undefined` when there is none.
 */
export function mountTypeOf(path: string, mountinfo: string): string | undefined {
  let best: { readonly point: string; readonly type: string } | undefined;
  for (const line of mountinfo.split('\n')) {
    const mount = parseMountLine(line);
    if (mount === undefined) continue;
    const { path: point, type } = mount;
    const isAbove = point === '/' || path === point || path.startsWith(`${point}/`);
    if (isAbove && (best === undefined || point.length >= best.point.length)) best = { point, type };
  }
  return best?.type;
}

/** The file system type of an existing path; `undefined` where the system does not tell. */
export async function fileSystemTypeOf(path: string): Promise<string | undefined> {
  try {
    return mountTypeOf(await realpath(path), await readFile('/proc/self/mountinfo', 'utf8'));
  } catch {
    return undefined;
  }
}
