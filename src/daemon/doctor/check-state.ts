import { access, constants, lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorMessage } from '../../errors.ts';
import type { DaemonClient } from '../client/client.ts';
import { lockHolder } from '../state/instance-lock.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

export async function checkStateDirectory(directory: StateDirectory): Promise<Finding> {
  const { path } = directory;
  try {
    const stat = await lstat(path);
    if ((stat.mode & 0o077) !== 0 && !stat.isSymbolicLink()) {
      return warn('state', `${path} can be read by others`, `Take their rights away: chmod 700 ${path}`);
    }
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok('state', `${path} is writable and private`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      return fail(
        'state',
        `${path} cannot be used: ${errorMessage(error)}`,
        'Correct its rights, or give another --state-dir.',
      );
    }
  }
  const parent = await firstExisting(dirname(path));
  return access(parent, constants.W_OK | constants.X_OK).then(
    () => ok('state', `${path} is made at the first start`),
    () =>
      fail(
        'state',
        `${path} cannot be made: ${parent} is not writable`,
        'Correct its rights, or give another --state-dir.',
      ),
  );
}

export async function checkDaemon(directory: StateDirectory, client: DaemonClient): Promise<Finding> {
  const holder = await lockHolder(directory.lock);
  const answers = await client.answers();
  if (answers)
    return ok('daemon', `running${holder === undefined ? '' : ` as process ${holder.pid}`} at ${directory.socket}`);
  if (holder !== undefined) {
    return warn(
      'daemon',
      `process ${holder.pid} holds ${directory.path}, but does not answer at ${directory.socket}`,
      'It may be starting, or use another --socket; else end it and start again.',
    );
  }
  return ok('daemon', 'not running; `agentcontainers up <folder>` or `agentcontainers serve` starts one');
}

async function firstExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const exists = await lstat(at).then(
      () => true,
      () => false,
    );
    if (exists || at === dirname(at)) return at;
  }
}
