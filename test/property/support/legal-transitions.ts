import type { DevcontainerStatus } from '../../../src/index.ts';

/** Which status may follow which. docs/design/transitions.md says the same in words; a test compares the two. */
export const LEGAL_TRANSITIONS: Readonly<Record<DevcontainerStatus, readonly DevcontainerStatus[]>> = {
  stopped: ['running', 'starting', 'stopping'],
  running: ['stopped', 'starting', 'stopping'],
  starting: ['running', 'stopped', 'error'],
  stopping: ['stopped', 'deleting', 'starting', 'error'],
  deleting: ['error', 'stopped'],
  error: ['starting', 'stopping', 'running', 'stopped'],
};
