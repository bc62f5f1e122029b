import { expect, it } from 'vitest';
import { createScriptedCalls } from './scripted-calls.ts';

const signal = new AbortController().signal;

it('counts calls and lets the next ones fail', async () => {
  const calls = createScriptedCalls('port', ['read', 'write']);
  calls.failNext('read', new Error('no'), 2);
  await expect(calls.perform('read', signal, () => 1)).rejects.toThrow('no');
  expect(await calls.perform('write', signal, () => 2)).toBe(2);
  await expect(calls.perform('read', signal, () => 1)).rejects.toThrow('no');
  expect(await calls.perform('read', signal, () => 1)).toBe(1);
  expect(calls.calls).toEqual({ read: 3, write: 1 });
});

it('holds calls before they did anything until the gate is opened', async () => {
  const calls = createScriptedCalls('port', ['read']);
  const gate = calls.hang('read');
  let value = 1;
  const read = calls.perform('read', signal, () => value);
  await gate.reached();
  expect(calls.leaks()).toEqual(['port.read has not been answered']);
  value = 2;
  gate.open();
  expect(await read).toBe(2);
  expect(await calls.perform('read', signal, () => value)).toBe(2);
  expect(calls.leaks()).toEqual([]);
});

it('holds an answer that is old when it arrives', async () => {
  const calls = createScriptedCalls('port', ['read']);
  const gate = calls.hang('read', { at: 'answer' });
  let value = 1;
  const read = calls.perform('read', signal, () => value);
  await gate.reached();
  value = 2;
  gate.open();
  expect(await read).toBe(1);
});

it('rejects with the reason of the signal, before and while it hangs', async () => {
  const calls = createScriptedCalls('port', ['read']);
  calls.hang('read');
  const abort = new AbortController();
  const read = calls.perform('read', abort.signal, () => 1);
  abort.abort(new Error('deadline'));
  await expect(read).rejects.toThrow('deadline');
  await expect(calls.perform('read', abort.signal, () => 1)).rejects.toThrow('deadline');
  expect(calls.leaks()).toEqual([]);
});

it('remembers what was not scripted for the leak check', () => {
  const calls = createScriptedCalls('port', ['read']);
  expect(calls.unscripted('port.read x', 'Script it.')).toMatchObject({
    code: 'broken-contract',
    message: 'Unscripted call: port.read x. Script it.',
  });
  expect(calls.leaks()).toEqual(['Unscripted call: port.read x']);
});
