import { copyFile, readFile, rename } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import type { PersistedState, StateStorage } from '../../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { createContentsFiles } from './contents-files.ts';
import {
  persistedEntrySchema,
  persistedMemorySchema,
  persistedOperationSchema,
  persistedProjectSchema,
  snapshotSchema,
} from './persisted-state-schema.ts';
import { readRecords } from './read-records.ts';
import type { StateDirectory } from './state-directory.ts';

const NEXT_STEP = 'The daemon goes on with what it sees; ids stay the same, adoptions may have to be made anew.';

/**
 * The library's state as one JSON file (0600), replaced atomically. What cannot be used is set aside as
 * `<file>.damaged-<time>` and logged; it never stops the start. Whatever cannot be *read* (rights, disk) does stop it,
 * since the next save would overwrite a good file. Contents of fingerprints lie beside it, a file each.
 */
export function createStateStorage(
  { state: file, contents }: Pick<StateDirectory, 'state' | 'contents'>,
  logger: Logger,
  now: () => number = Date.now,
): StateStorage {
  let writing: Promise<unknown> = Promise.resolve();

  const asideName = (): string => `${file}.damaged-${new Date(now()).toISOString().replaceAll(':', '-')}`;

  const unreadable = (reason: string, cause: unknown): AgentContainersError =>
    new AgentContainersError(
      'state-unreadable',
      `Reading the state ${file} failed: ${reason}. Make room, correct its rights, or move it away.`,
      { cause },
    );

  const setAside = async (reason: string): Promise<undefined> => {
    const aside = asideName();
    await rename(file, aside).catch((error: unknown) => {
      throw unreadable(`${reason}, and it cannot be set aside: ${errorMessage(error)}`, error);
    });
    logger.warn(
      { file, aside },
      `Reading the state failed: ${reason}. The file was set aside as ${aside}. ${NEXT_STEP}`,
    );
    return undefined;
  };

  const load = async (): Promise<PersistedState | undefined> => {
    let content: string;
    try {
      content = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw unreadable(errorMessage(error), error);
    }
    let json: unknown;
    try {
      json = JSON.parse(content);
    } catch {
      return setAside('it is not JSON');
    }
    const snapshot = snapshotSchema.safeParse(json);
    if (!snapshot.success) {
      const version: unknown =
        typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
      return setAside(
        version === 1 ? 'its form is wrong' : `its version ${JSON.stringify(version)} is unknown, 1 is understood`,
      );
    }
    const entries = readRecords(persistedEntrySchema, snapshot.data.entries, ['made', 'forwards']);
    const operations = readRecords(persistedOperationSchema, snapshot.data.operations);
    const remembered = readRecords(persistedMemorySchema, snapshot.data.remembered ?? []);
    const projects = readRecords(persistedProjectSchema, snapshot.data.projects ?? []);
    const damaged = entries.damaged + operations.damaged + remembered.damaged + projects.damaged;
    if (damaged > 0) {
      const aside = asideName();
      await copyFile(file, aside).catch((error: unknown) => {
        throw unreadable(`${damaged} damaged record(s) cannot be set aside: ${errorMessage(error)}`, error);
      });
      logger.warn(
        { file, aside, damaged },
        `Reading the state failed in part: of ${damaged} damaged record(s) what can be used was kept. A copy was set aside as ${aside}. ${NEXT_STEP}`,
      );
    }
    return {
      version: 1,
      entries: entries.records,
      operations: operations.records,
      ...(snapshot.data.remembered === undefined ? {} : { remembered: remembered.records }),
      ...(snapshot.data.projects === undefined ? {} : { projects: projects.records }),
    };
  };

  return {
    ...createContentsFiles(contents, logger),
    load,
    save(state) {
      const content = `${JSON.stringify(state, undefined, 1)}\n`;
      const write = writing.then(async () => {
        try {
          await writeFileAtomic(file, content, { mode: 0o600 });
        } catch (error) {
          throw new AgentContainersError(
            'state-unreadable',
            `Writing the state ${file} failed: ${errorMessage(error)}. The earlier state is kept; make room or correct its rights.`,
            { cause: error },
          );
        }
      });
      writing = write.catch(() => undefined);
      return write;
    },
  };
}
