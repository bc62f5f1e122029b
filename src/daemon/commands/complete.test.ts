import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { COMPLETED_SHELLS } from '../completed-shells.ts';
import { runProgram } from '../program.ts';
import { startTestDaemon, wireProcess } from './test-daemon.ts';
import { wireEntry } from './test-context.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-complete-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  let text = '';
  // As in a process that has just been started.
  vi.spyOn(performance, 'now').mockReturnValue(100);
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((text += String(chunk)), true));
  const code = await runProgram(args);
  vi.restoreAllMocks();
  return { code, text };
}

/** Words that are offered, and at the end what the shell adds. */
async function words(...typed: string[]): Promise<string[]> {
  const { code, text } = await run('__complete', ...typed);
  expect(code).toBe(0);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
}

const NOWHERE = ['--state-dir', '/nonexistent/agentcontainers'];

describe('without a daemon', () => {
  test('commands come with what they do, and hidden ones do not', async () => {
    const all = await words('');
    expect(all).toEqual(expect.arrayContaining(['up', 'exec', 'shell', 'completion', '--help', ':']));
    expect(all).not.toContain('__complete');
    expect(await words('e')).toEqual(['exec', ':']);
    expect((await run('__complete', 'shel')).text).toBe("shell\topen the user's login shell in its container\n:\n");
  });

  test.each([
    [
      ['rm', '--v'],
      ['--volumes', ':'],
    ],
    [
      ['exec', '--t'],
      ['--tty', '--timeout', ':'],
    ],
    [['exec', 'app', '--', '--'], [':']],
    [['exec', 'app', 'npm', '-'], [':']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', ':'],
    ],
    [
      ['serve', '--log-level', 'd'],
      ['debug', ':'],
    ],
    [['serve', '--state-dir', ''], [':folders']],
    [['serve', '--tls-key', ''], [':files']],
    [['serve', ''], [':folders']],
    [
      ['rerun-hook', 'app', 'postA'],
      ['postAttachCommand', ':'],
    ],
    [['shell', ...NOWHERE, ''], [':']],
    [['up', ...NOWHERE, ''], [':folders']],
    [['cp', ...NOWHERE, ''], [':files,nospace']],
    [['no-such-command', ''], [':']],
    [['version', 'x', ''], [':']],
  ])('after %j comes %j', async (typed, expected) => {
    expect(await words(...typed)).toEqual(expected);
  });
});

describe('with a daemon', () => {
  test('names, ids and ports come from it, and nothing that a shell would have to quote', async () => {
    const daemon = await startTestDaemon({
      routes: {
        'GET /devcontainers': { devcontainers: [wireEntry(), wireEntry({ id: 'dc-2', name: 'x$(touch y)' })] },
        'GET /devcontainers/dc-1/processes': {
          processes: [
            wireProcess({ command: 'npm\u001b[31m start' }),
            wireProcess({ id: 'ab12-2', running: false, argv: ['true'] }),
          ],
        },
        'GET /devcontainers/dc-1/ports': { ports: [{ port: 3000, address: '::', family: 6, name: 'node' }] },
      },
    });
    try {
      const at = ['--socket', daemon.socket];
      expect((await run('__complete', 'shell', ...at, '')).text).toBe('app\trunning, /src/app\n:\n');
      expect(await words('cp', ...at, 'a')).toEqual(['app:', ':files,nospace']);
      expect((await run('__complete', 'kill', ...at, 'app', '')).text).toBe('ab12-1\tnpm start\n:\n');
      expect(await words('attach', ...at, 'app', '')).toEqual(['ab12-1', 'ab12-2', ':']);
      expect(await words('forward', `--socket=${daemon.socket}`, 'app', '')).toEqual(['3000', ':']);
    } finally {
      await daemon.stop();
    }
  });

  test('that does not answer nothing comes, and not late', async () => {
    const socket = join(directory, 's');
    const silent = createServer((connection) => connection.resume());
    await new Promise<void>((resolve) => silent.listen(socket, resolve));
    expect(await words('shell', '--socket', socket, '')).toEqual([':']);
    await new Promise((resolve) => silent.close(resolve));
  });
});

describe('scripts', () => {
  test.each(COMPLETED_SHELLS)('of %s', async (shell) => {
    expect((await run('completion', shell)).text).toMatchSnapshot();
  });

  /** What bash would offer for a line, with the cursor at its end. */
  async function inBash(
    line: string,
    answer: string,
  ): Promise<{ offered: string[]; asked: string[]; options: string }> {
    const bin = join(directory, 'bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(directory, 'answer'), answer);
    await writeFile(
      join(bin, 'agentcontainers'),
      `#!/bin/sh\nprintf '%s\\n' "$@" > ${directory}/asked\ncat ${directory}/answer\n`,
    );
    await chmod(join(bin, 'agentcontainers'), 0o755);
    await writeFile(join(directory, 'script'), (await run('completion', 'bash')).text);
    await mkdir(join(directory, 'folder one'), { recursive: true });
    await writeFile(join(directory, 'file'), '');
    const program = `
      compopt() { echo "$@" >> ${directory}/options; }
      source ${directory}/script
      complete -p agentcontainers > /dev/null || exit 9
      cd ${directory}
      COMP_LINE=$1 COMP_POINT=\${#1}
      _agentcontainers
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    await writeFile(join(directory, 'options'), '');
    const text = await new Promise<string>((resolve, reject) => {
      const env = { PATH: `${bin}:${process.env['PATH']}` };
      execFile('bash', ['--norc', '-c', program, 'bash', line], { env }, (error, stdout, stderr) => {
        if (error === null && stderr === '') resolve(stdout);
        else reject(error ?? new Error(stderr));
      });
    });
    return {
      offered: text.split('\n').filter((one) => one !== ''),
      asked: (await readFile(join(directory, 'asked'), 'utf8')).split('\n').slice(0, -1),
      options: await readFile(join(directory, 'options'), 'utf8'),
    };
  }

  test('bash offers what is answered, without the descriptions, and evaluates none of it', async () => {
    const answer = 'app\tis here\nx$(touch evil)`touch evil`\tno\n:\n';
    const { offered, asked, options } = await inBash('agentcontainers shell ', answer);
    expect(offered).toEqual(['app', 'x$(touch evil)`touch evil`']);
    expect(asked).toEqual(['__complete', 'shell', '']);
    expect(options).toBe('');
    await expect(readFile(join(directory, 'evil'))).rejects.toThrow('ENOENT');
  });

  test('bash passes on what is typed as it is, and adds files or folders', async () => {
    const files = await inBash('agentcontainers cp -x $(touch evil) fi', 'app:\t\n:files,nospace\n');
    expect(files.asked).toEqual(['__complete', 'cp', '-x', '$(touch', 'evil)', 'fi']);
    expect(files.offered).toEqual(['app:', 'file']);
    expect(files.options).toBe('-o filenames\n-o nospace\n');
    const folders = await inBash('agentcontainers serve f', ':folders\n');
    expect(folders.offered).toEqual(['folder one']);
    await expect(readFile(join(directory, 'evil'))).rejects.toThrow('ENOENT');
  });

  test('bash completes behind a colon or an equals sign only what comes after it', async () => {
    expect((await inBash('agentcontainers cp app:', 'app:one\t\napp:two\t\n:\n')).offered).toEqual(['one', 'two']);
    expect((await inBash('agentcontainers x --a=b', '--a=bc\t\n:\n')).offered).toEqual(['bc']);
  });
});
