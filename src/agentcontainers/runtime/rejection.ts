import { AgentContainersError, type ErrorCode } from '../../errors.ts';
import type { Admission, Command } from '../model/admit.ts';
import type { Entry, Observation } from '../model/state.ts';
import { invalidConfig } from './entry-key.ts';
import { busy, notTrusted } from './jobs/up-job.ts';

/** Wording of the answers: existing consumers rely on it. */
export function rejection(
  { code, entry }: Extract<Admission, { kind: 'rejected' }>,
  command: Command,
  observation: Observation,
): AgentContainersError {
  const make = (message: string, detail?: string): AgentContainersError =>
    new AgentContainersError(code satisfies ErrorCode, message, { details: { detail } });
  switch (code) {
    case 'api-closed':
      return make('API closed');
    case 'devcontainer-not-found':
      return make('Devcontainer not found.');
    case 'devcontainer-not-adopted':
      return make(
        'Devcontainer is not adopted',
        `${entry?.name} is only listed: it lies under no root. Adopt it with: agentcontainers up ${entry?.key.workspaceFolder}`,
      );
    case 'list-failed':
      return make('Could not get containers', observation.status === 'failed' ? observation.message : undefined);
    case 'recreation-in-progress':
      return make('Devcontainer recreation already in progress', `Recreation for ${entry?.name} is already underway.`);
    case 'devcontainer-not-trusted':
      return notTrusted(entry ?? { name: '' });
    case 'devcontainer-not-running':
      return make('Devcontainer is not running', `Start it with: agentcontainers start ${entry?.name}`);
    case 'devcontainer-busy':
      return busy(entry as Entry);
    case 'devcontainer-transitioning':
      return command.type === 'remove'
        ? make(
            'Unable to delete transitioning devcontainer',
            `Devcontainer ${entry?.name} is currently ${entry?.phase.status} and cannot be deleted.`,
          )
        : make(
            `Unable to ${command.type === 'create' ? 'start' : command.type} transitioning devcontainer`,
            `Devcontainer ${entry?.name} is currently ${entry?.phase.status} and cannot be restarted.`,
          );
    case 'config-invalid':
      return invalidConfig(
        entry?.key.configPath ?? '',
        entry?.configError ?? { message: 'unreadable', line: 1, column: 1 },
      );
  }
}
