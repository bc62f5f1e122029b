import { expect, it } from 'vitest';
import { startBody } from '../../subagent/resident/start-body.ts';
import type { CommandSpec } from '../ports.ts';
import { commandLine } from './command-line.ts';

it.each<[CommandSpec, string]>([
  [{}, 'give exactly one of argv and command'],
  [{ argv: ['a'], command: 'b' }, 'give exactly one of argv and command'],
  [{ argv: [], command: '' }, 'give exactly one of argv and command'],
  [{ argv: [] }, 'argv is empty'],
  [{ argv: [''] }, 'argv is empty'],
  [{ argv: ['', 'a'] }, 'argv is empty'],
  [{ command: '' }, 'the command is empty'],
  [{ command: ' \n' }, 'the command is empty'],
])('%j is refused with the same words by the engine and by the resident', (spec, reason) => {
  const refusal = expect.objectContaining({
    code: 'invalid-request',
    message: `Starting a command failed: ${reason}.`,
  });
  expect(() => commandLine(spec, { workingDir: '/w', env: {} })).toThrow(refusal);
  expect(() => startBody(spec, { kind: 'exec', key: 'k', overflow: 'block' })).toThrow(refusal);
});
