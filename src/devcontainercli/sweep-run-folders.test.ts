import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { identityOf } from '../process/process-identity.ts';
import { markAsOwn, PREFIX, sweepRunFolders } from './sweep-run-folders.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'sweep-'));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const gone = { ...identityOf(process.pid), startTime: '1' };

async function folder(name: string, owner: unknown = gone, mode = 0o700): Promise<void> {
  const path = join(parent, name);
  await mkdir(join(path, 'deep'), { recursive: true });
  if (owner !== undefined) await writeFile(join(path, 'owner.json'), JSON.stringify(owner));
  await chmod(path, mode);
}

it('removes folders whose process is gone, and no others', async () => {
  await folder(`${PREFIX}gone`);
  await folder(`${PREFIX}of-another-boot`, { ...identityOf(process.pid), bootId: 'other' });
  await folder(`${PREFIX}alive`, identityOf(process.pid));
  await folder(`${PREFIX}just-begun`, null);
  await rm(join(parent, `${PREFIX}just-begun/owner.json`));
  await folder(`${PREFIX}nonsense`, 'x');
  await folder(`${PREFIX}others-may-write`, gone, 0o770);
  await folder('something-else');
  await symlink(join(parent, 'something-else'), join(parent, `${PREFIX}link`));
  await sweepRunFolders(parent);
  expect((await readdir(parent)).sort()).toEqual(
    [
      ...['alive', 'just-begun', 'link', 'nonsense', 'others-may-write'].map((name) => `${PREFIX}${name}`),
      'something-else',
    ].sort(),
  );
});

it('keeps what this process marked as its own', async () => {
  const path = join(parent, `${PREFIX}own`);
  await mkdir(path, { mode: 0o700 });
  await markAsOwn(path);
  await sweepRunFolders(parent);
  expect(await readdir(parent)).toEqual([`${PREFIX}own`]);
  await expect(markAsOwn(path)).rejects.toMatchObject({ code: 'EEXIST' });
});

it('does nothing where there is nothing', async () => {
  await sweepRunFolders(join(parent, 'nowhere'));
});
