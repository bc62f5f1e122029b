import { describe, expect, it } from 'vitest';
import { commandWords, MAX_WORDS } from './command-words.ts';

const words = (command: unknown): readonly string[] => commandWords(command, '/ws').words;

describe('words of a command that may name files', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['a script', 'bash .devcontainer/init.sh', ['bash', '.devcontainer/init.sh']],
    ['several commands', './a && ./b;./c|./d\n./e', ['./a', './b', './c', './d', './e']],
    ['a value', 'make --file=./x MODE=./y', ['make', '--file=./x', './x', 'MODE=./y', './y']],
    ['the folder', '${localWorkspaceFolder}/a $PWD/b ${PWD}/c', ['/ws/a', '/ws/b', '/ws/c']],
    [
      'a program',
      ['bash', 'my init.sh', '-c', '. ./x'],
      ['bash', 'my init.sh', 'my', 'init.sh', '-c', '. ./x', '.', './x'],
    ],
    ['several by name', { b: './b', a: ['./a'] }, ['./b', './a']],
  ])('are those of %s', (_what, command, expected) => {
    expect(words(command)).toEqual(expected);
  });

  it.each([
    ['quoted', `bash './my init.sh'`, './my init.sh'],
    ['quoted in part', `"$PWD"/init.sh`, '/ws/init.sh'],
    ['with an escape', String.raw`bash ./in\it.sh`, './init.sh'],
    ['within an argument', `sh -c "cd x && ./init.sh"`, './init.sh'],
    ['read by the shell', `sh <./init.sh`, './init.sh'],
    ['within a substitution', 'echo $(./init.sh)', './init.sh'],
    ['written and read', 'echo x >./init.sh; sh ./init.sh', './init.sh'],
  ])('are found %s', (_how, command, word) => {
    expect(words(command)).toContain(word);
  });

  it.each([
    ['a file that is made', 'touch .devcontainer/.env'],
    ['a file that is written', 'env >.devcontainer/.env 2> .devcontainer/.env'],
    ['a directory that is made', 'mkdir -p .devcontainer/.env'],
    ['a program that makes one', ['touch', '.devcontainer/.env']],
  ])('are not those of %s: it would change by that', (_what, command) => {
    expect(words(command)).not.toContain('.devcontainer/.env');
  });

  it('leave nothing out where the shell may read it in another way', () => {
    expect(words(String.raw`sh -c '. "$2"' \; touch ./x`)).toContain('./x');
    expect(words('echo "$(cat ./x)"')).toContain('./x');
    expect(words('touch `./x`')).toContain('./x');
  });

  it.each([undefined, null, 7, [], {}, [7], { a: { b: 'c' } }, '\0'])('are none of %j', (command) => {
    expect(words(command)).toEqual([]);
  });

  it('are bounded, which is said', () => {
    const many = Array.from({ length: MAX_WORDS + 5 }, (_, n) => `./${n}`).join(' ');
    expect(commandWords(many, '/ws')).toMatchObject({ isCut: true, words: { length: MAX_WORDS } });
    expect(commandWords(`./${'x'.repeat(5_000)}`, '/ws')).toEqual({ words: [], isCut: true });
    expect(commandWords(Object.fromEntries(Array.from({ length: 60 }, (_, n) => [n, 'x'])), '/ws').isCut).toBe(true);
    expect(commandWords('./a', '/ws').isCut).toBe(false);
    for (const text of ['>', '> ', "'", '"', '$PWD', 'touch >', "x'"])
      expect(words(text.repeat(300_000)).length).toBeLessThan(9);
  });
});
