import { expect, it } from 'vitest';
import { createGate } from './gate.ts';

it('holds whoever waits until it is opened, and nobody after that', async () => {
  const gate = createGate();
  const waits = [gate.wait(), gate.wait()];
  await gate.reached();
  expect(gate.waiting).toBe(2);
  expect(gate.opened).toBe(false);
  gate.open();
  await Promise.all(waits);
  expect(gate.waiting).toBe(0);
  await gate.wait();
});

it('lets a waiter leave with the reason of its signal', async () => {
  const gate = createGate();
  const abort = new AbortController();
  const wait = gate.wait(abort.signal);
  abort.abort(new Error('enough'));
  await expect(wait).rejects.toThrow('enough');
  expect(gate.waiting).toBe(0);
  await expect(gate.wait(abort.signal)).rejects.toThrow('enough');
});

it('tells when somebody has reached it', async () => {
  const gate = createGate();
  const reached = gate.reached().then(() => gate.waiting);
  const wait = gate.wait();
  expect(await reached).toBe(1);
  gate.open();
  await wait;
});
