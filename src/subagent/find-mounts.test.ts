import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import type { ContainerMount } from '../agentcontainers/model/container.ts';
import { findMounts } from './find-mounts.ts';

const HOME = '/.agentcontainers';
const mount = (type: string, destination: string, writable = true): ContainerMount => ({
  type,
  source: 'x',
  destination,
  writable,
});

// As in a container of Docker 20.10, shortened.
const BASE = `
1061 975 0:147 / / rw,relatime master:343 - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c
1062 1061 0:150 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1063 1061 0:151 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
1064 1063 0:152 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5
1067 1063 0:154 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
1068 1061 254:0 /x/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw
`;
const line = (path: string, options = 'rw,relatime', type = 'ext4', superOptions = 'rw'): string =>
  `1100 1061 254:0 / ${path} ${options} - ${type} /dev/vda ${superOptions}\n`;

describe('findMounts', () => {
  it('finds nothing in a plain container: the root was tried already', () => {
    expect(findMounts(BASE, [], HOME)).toEqual([]);
  });

  it('takes volumes before memory, and never a folder of the host', () => {
    const text =
      BASE +
      line('/tmp', 'rw,nosuid', 'tmpfs') +
      line('/cache/long/path') +
      line('/workspaces/project') +
      line('/data');
    const mounts = [
      mount('volume', '/cache/long/path'),
      mount('volume', '/data'),
      mount('bind', '/workspaces/project'),
    ];
    expect(findMounts(text, mounts, HOME)).toEqual([
      { path: '/data', takesArchive: true },
      { path: '/cache/long/path', takesArchive: true },
      { path: '/tmp', takesArchive: false },
    ]);
  });

  it('leaves out what cannot be written or runs no programs', () => {
    const text =
      line('/a', 'ro,relatime') +
      line('/b', 'rw,noexec') +
      line('/c', 'rw', 'ext4', 'ro') +
      line('/d', 'rw', 'cgroup2') +
      line('/e', 'rw', 'tmpfs', 'rw,size=1');
    expect(findMounts(text, [], HOME)).toEqual([{ path: '/e', takesArchive: false }]);
  });

  it('takes the root when its own place is a mount that is of no use', () => {
    expect(findMounts(BASE + line(HOME, 'rw,noexec', 'tmpfs'), [], HOME)).toEqual([{ path: '', takesArchive: true }]);
    expect(findMounts(line('/', 'ro') + line(HOME, 'rw,noexec', 'tmpfs'), [], HOME)).toEqual([]);
  });

  it('counts the mount that covers another at the same place', () => {
    expect(findMounts(line('/tmp') + line('/tmp', 'rw,noexec', 'tmpfs'), [], HOME)).toEqual([]);
  });

  it('reads escaped paths, and leaves out those that no shell line should see', () => {
    expect(findMounts(line('/with\\040space') + line('/line\\012feed'), [], HOME)).toEqual([
      { path: '/with space', takesArchive: true },
    ]);
  });

  it('falls back to the volumes that the engine knows when the container has nothing to read its mounts with', () => {
    const mounts = [mount('volume', '/v'), mount('volume', '/readonly', false), mount('bind', '/b')];
    expect(findMounts(undefined, mounts, HOME)).toEqual([{ path: '/v', takesArchive: true }]);
  });

  property.prop([fc.array(fc.oneof(fc.string(), fc.constantFrom(...BASE.split('\n'))), { maxLength: 50 })])(
    'never throws and gives at most four absolute places',
    (lines) => {
      const found = findMounts(lines.join('\n'), [], HOME);
      expect(found.length).toBeLessThanOrEqual(4);
      for (const { path } of found) expect(path === '' || path.startsWith('/')).toBe(true);
    },
  );
});
