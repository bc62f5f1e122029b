import type { z } from 'zod';

import type { processSchema } from '../../../src/subagent/resident/wire.ts';

/** A process as an agent describes it. */
export function wireProcess(
  part: Partial<z.input<typeof processSchema>> = {},
): Readonly<z.input<typeof processSchema>> {
  return {
    id: 'abcd-1',
    pid: 5,
    argv: ['x'],
    cwd: '/',
    user: 'dev',
    tty: null,
    merged: false,
    kind: 'exec',
    started_at: '2025-01-01T00:00:00.000Z',
    running: true,
    output: { start: 0, end: 0 },
    ...part,
  };
}
