import { AgentContainersError } from '../../errors.ts';
import type { ContainerFolder } from './container-files.ts';
import type { CopyReport } from './copy-report.ts';

/** What goes from one to the other, either way. */
export interface Copying {
  readonly folder: ContainerFolder;
  readonly report: CopyReport;
}

/** Does the work with something that is open, and closes it. */
export async function closing<T>(opened: { close(): Promise<void> }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await opened.close();
  }
}

export function noSource(path: string): AgentContainersError {
  return new AgentContainersError('path-not-found', `Copying ${path} failed: there is no such path in the container.`);
}

export function notAFile(path: string): AgentContainersError {
  return new AgentContainersError('invalid-request', `Copying ${path} failed: it is not a file.`);
}

export function inTheWay(path: string): AgentContainersError {
  return new AgentContainersError(
    'invalid-request',
    `Copying to ${path} failed: there is something that is no folder.`,
  );
}

export function noFolder(path: string): AgentContainersError {
  return new AgentContainersError('path-not-found', `Copying to ${path} failed: there is no such folder.`);
}
