import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createMailbox, type Mailbox } from './mailbox.ts';

describe('a mailbox', () => {
  it('has taken the message when post returns', () => {
    const taken: string[] = [];
    createMailbox<string>(
      (message) => void taken.push(message),
      () => {},
    ).post('a');
    expect(taken).toEqual(['a']);
  });

  it('runs to completion: what is posted from inside waits until the present message is done', () => {
    const log: string[] = [];
    const mailbox: Mailbox<string> = createMailbox(
      (message) => {
        log.push(`${message} begins`);
        if (message === 'a') {
          mailbox.post('b');
          mailbox.post('c');
        }
        if (message === 'b') mailbox.post('d');
        log.push(`${message} ends`);
      },
      () => {},
    );
    mailbox.post('a');
    expect(log).toEqual(['a', 'b', 'c', 'd'].flatMap((message) => [`${message} begins`, `${message} ends`]));
  });

  it('gives a throw to onError, with its message, and goes on with those behind it', () => {
    const errors: unknown[] = [];
    const taken: string[] = [];
    const mailbox: Mailbox<string> = createMailbox(
      (message) => {
        if (message === 'first') {
          mailbox.post('bad');
          mailbox.post('good');
        }
        if (message === 'bad') throw new Error('it broke');
        taken.push(message);
      },
      (error, message) => errors.push([(error as Error).message, message]),
    );
    mailbox.post('first');
    mailbox.post('later');
    expect(taken).toEqual(['first', 'good', 'later']);
    expect(errors).toEqual([['it broke', 'bad']]);
  });

  interface Tree {
    readonly children: readonly Tree[];
    readonly fails: boolean;
  }
  // A tree of messages: each posts its children while it is taken.
  const leaf: fc.Arbitrary<Tree> = fc.record({ children: fc.constant([]), fails: fc.boolean() });
  const grow = (children: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> =>
    fc.record({ children: fc.array(children, { maxLength: 3 }), fails: fc.boolean() });

  test.prop([fc.array(grow(grow(grow(leaf))), { maxLength: 5 })])(
    'takes every message once, in the order of posting',
    (forest) => {
      const posted: Tree[] = [];
      const taken: Tree[] = [];
      let depth = 0;
      const mailbox: Mailbox<Tree> = createMailbox(
        (message) => {
          expect(++depth).toBe(1);
          taken.push(message);
          for (const child of message.children) post(child);
          depth--;
          if (message.fails) throw new Error('it broke');
        },
        () => {},
      );
      const post = (message: Tree): void => {
        posted.push(message);
        mailbox.post(message);
      };
      for (const root of forest) post(root);
      expect(taken).toEqual(posted);
      expect(taken.every((message, index) => message === posted[index])).toBe(true);
    },
  );
});
