import { spawn } from 'node:child_process';

import { expect, it, vi } from 'vitest';

import { groupMembers, hasEnvironment } from './group-members.ts';

/** Far above what it takes, for a busy machine. */
const WITHIN = { timeout: 30_000 };

const hasProc = process.platform === 'linux';

it.runIf(hasProc)('finds the living members of a group, and what they were started with', async () => {
  const child = spawn('/bin/sh', ['-c', 'sleep 100 & wait'], { detached: true, stdio: 'ignore', env: { MARK: 'a=b' } });
  const pid = child.pid ?? 0;
  try {
    const members = await vi.waitFor(() => {
      const found = groupMembers(pid) ?? [];
      expect(found.length).toBe(2);
      return found;
    }, WITHIN);
    expect(members).toContain(pid);
    for (const member of members) expect(hasEnvironment(member, 'MARK=a=b')).toBe(true);
    expect(hasEnvironment(pid, 'MARK=a')).toBe(false);
  } finally {
    process.kill(-pid, 'SIGKILL');
  }
  await vi.waitFor(() => expect(groupMembers(pid)).toEqual([]), WITHIN);
});

it('knows nothing of a process that is not there', () => {
  expect(hasEnvironment(2 ** 30, 'A=b')).toBe(false);
});
