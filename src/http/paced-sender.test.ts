import { expect, test } from 'vitest';
import { PacedSender } from './paced-sender.ts';

function outlet() {
  const sent: string[] = [];
  const done: (() => void)[] = [];
  let backlog = 0;
  let drops = 0;
  return {
    sent,
    flush: () => done.shift()?.(),
    get drops() {
      return drops;
    },
    fill: (bytes: number) => {
      backlog = bytes;
    },
    send(bytes: Buffer, whenDone: () => void) {
      sent.push(bytes.toString());
      done.push(whenDone);
    },
    backlog: () => backlog,
    drop: () => {
      drops++;
    },
  };
}

test('while one message is under way only the newest other one is kept', () => {
  const to = outlet();
  const sender = new PacedSender(to, 100);
  for (const text of ['a', 'b', 'c', 'd']) sender.offer(Buffer.from(text));
  expect(to.sent).toEqual(['a']);
  to.flush();
  expect(to.sent).toEqual(['a', 'd']);
  to.flush();
  expect(sender.sending).toBe(false);
  sender.offer(Buffer.from('e'));
  expect(to.sent).toEqual(['a', 'd', 'e']);
});

test('a client with too much unsent is dropped when something new comes up, and only then', () => {
  const to = outlet();
  const sender = new PacedSender(to, 100);
  sender.offer(Buffer.from('a'));
  to.fill(100);
  sender.offer(Buffer.from('b'));
  expect(to.drops).toBe(0);
  to.fill(101);
  sender.offer(Buffer.from('c'));
  expect(to.drops).toBe(1);
  expect(to.sent).toEqual(['a']);
});

test('a client is stuck when the same message is under way at two looks', () => {
  const to = outlet();
  const sender = new PacedSender(to, 100);
  sender.offer(Buffer.from('a'));
  sender.offer(Buffer.from('b'));
  expect(sender.isStuck()).toBe(false);
  to.flush();
  expect(sender.isStuck()).toBe(false);
  expect(sender.isStuck()).toBe(true);
  to.flush();
  expect(sender.isStuck()).toBe(false);
});
