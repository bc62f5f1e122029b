import { expect, test } from 'vitest';
import { conclude, execBytes, readsStandardInput, readStandardInput } from './exec.ts';

const exit = { type: 'exit', code: null, signal: null, reason: 'exit', via: 'engine' } as const;
const run = (line: Parameters<typeof conclude>[0]) => {
  const said: string[] = [];
  return { code: conclude(line, (message) => said.push(message)), said };
};

test.each([0, 1, 126, 127, 137])("the command's own exit code %i is passed on without a word", (code) => {
  expect(run({ ...exit, code })).toEqual({ code, said: [] });
});

test('a command that a signal ended gives 128 and the number of the signal', () => {
  expect(run({ ...exit, signal: 'SIGTERM' })).toEqual({ code: 143, said: [] });
});

test.each([
  ['timeout', 'time was up'],
  ['lost', 'connection to it was lost'],
  ['closed', 'daemon was closed'],
] as const)('the end by "%s" is a failure with its reason', (reason, text) => {
  const { code, said } = run({ ...exit, reason });
  expect(code).toBe(1);
  expect(said[0]).toContain(text);
});

test('a command that did not start never looks like success', () => {
  const notStarted = { ...exit, reason: 'not-started' } as const;
  expect(run({ ...notStarted, code: 0, message: 'permission denied' })).toEqual({
    code: 126,
    said: ['permission denied'],
  });
  expect(run({ ...notStarted, message: 'exec: "x": executable file not found in $PATH' }).code).toBe(127);
});

test('cut-off output is said so', () => {
  expect(run({ ...exit, code: 0, output_held: true }).said[0]).toContain('cut off');
});

test('bytes come out as they were', () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80]);
  expect(execBytes({ type: 'stdout', data: bytes.toString('base64'), encoding: 'base64' })).toEqual(bytes);
  expect(execBytes({ type: 'stderr', data: 'ä\u0000\n' })).toEqual(Buffer.from('ä\u0000\n'));
});

async function* source(...parts: Uint8Array[]) {
  yield* parts;
}

test('standard input is kept to the byte, whether it is text or not', async () => {
  const text = Buffer.from('\ufeffaä\r\n\u0000');
  const bytes = Buffer.from([0xff, 0x00, 0x80]);
  expect(await readStandardInput(source(text.subarray(0, 5), text.subarray(5)))).toEqual({ stdin: text.toString() });
  expect(await readStandardInput(source(bytes))).toEqual({ stdin: '/wCA', stdin_encoding: 'base64' });
});

test('standard input beyond a request is refused with a way out', async () => {
  await expect(readStandardInput(source(Buffer.alloc(1_048_577)))).rejects.toMatchObject({
    code: 'invalid-request',
    message: expect.stringContaining('1 MiB'),
    details: { detail: expect.stringContaining('workspace folder') },
  });
});

const file = { isFile: () => true };
const pipe = { isFile: () => false };
test.each([
  ['a file', undefined, file, true],
  ['a pipe', undefined, pipe, false],
  ['a pipe with -i', true, pipe, true],
  ['a file with --no-stdin', false, file, false],
  ['nothing that is open', undefined, undefined, false],
])('of %s standard input is read only when that has an end, or when asked for', (_name, flag, stat, expected) => {
  expect(readsStandardInput(flag, stat)).toBe(expected);
});
