import { expect, it } from 'vitest';

import { fileSystemTypeOf, mountTypeOf, needsPolling } from './file-system-type.ts';

const MOUNTS = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
40 22 0:44 / /home/me rw - nfs4 server:/me rw
41 40 0:45 / /home/me/with\\040space rw shared:9 master:3 - fuse.sshfs host:/ rw
42 22 0:46 / /mnt/c rw - 9p drvfs rw
43 22 0:47 / /mnt/twice rw - nfs server:/ rw
44 43 8:2 / /mnt/twice rw - xfs /dev/sdb rw

a line that is nothing`;

it.each([
  ['/', 'ext4'],
  ['/home/mess', 'ext4'],
  ['/home/me', 'nfs4'],
  ['/home/me/project/.devcontainer', 'nfs4'],
  ['/home/me/with space/x', 'fuse.sshfs'],
  ['/mnt/c/Users', '9p'],
  ['/mnt/twice/x', 'xfs'],
])('finds that %s is on %s', (path, type) => {
  expect(mountTypeOf(path, MOUNTS)).toBe(type);
});

it('finds nothing in a text without mounts', () => {
  expect(mountTypeOf('/x', '')).toBeUndefined();
});

it.each([
  ['nfs', true],
  ['cifs', true],
  ['9p', true],
  ['virtiofs', true],
  ['fuse', true],
  ['fuseblk', true],
  ['fuse.grpcfuse', true],
  ['fusectl', false],
  ['ext4', false],
  ['overlay', false],
  ['tmpfs', false],
  [undefined, false],
])('polls on %s: %s', (type, polls) => {
  expect(needsPolling(type)).toBe(polls);
});

it('knows the type of a real mount and nothing of a path that does not exist', async () => {
  expect(await fileSystemTypeOf('/proc/self')).toBe('proc');
  expect(await fileSystemTypeOf('/no/such/place')).toBeUndefined();
});
