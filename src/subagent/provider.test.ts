import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elfFile } from '../../test/support/elf-file.ts';
import type { Logger } from '../logger.ts';
import { silentLogger } from '../logger.ts';
import { fileSubAgentProvider, loadSubAgentProvider, shellSubAgentProvider } from './provider.ts';

const signal = AbortSignal.timeout(60_000);
const amd64 = { operatingSystem: 'linux', architecture: 'amd64' };
const arm64 = { operatingSystem: 'linux', architecture: 'arm64', variant: 'v8' };

let folder: string;
const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sub-agent-provider-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('shellSubAgentProvider', () => {
  it('gives the shipped script for every Linux platform and for nothing else', async () => {
    const provider = shellSubAgentProvider({ command: 'my agent', user: 'root', env: { A: 'b' } });
    for (const architecture of ['amd64', 'arm64', 'riscv64', 'what-comes-next']) {
      expect(await provider.resolve({ operatingSystem: 'linux', architecture }, signal)).toMatchObject({
        name: 'sub-agent',
        path: expect.stringMatching(/\/assets\/sub-agent\.sh$/),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        args: ['agent'],
        user: 'root',
        env: { A: 'b', AGENTCONTAINERS_COMMAND: 'my agent', AGENTCONTAINERS_HEARTBEAT_SECONDS: '30' },
        readyLine: 'ready ',
        heartbeat: { line: 'heartbeat ', timeoutMs: 95_000, answer: 'alive' },
        busyLines: { busy: 'busy ', idle: 'idle' },
      });
    }
    expect(await provider.resolve({ operatingSystem: 'windows', architecture: 'amd64' }, signal)).toBeUndefined();
  });

  it('sets the command also when there is none, so that a workspace cannot set it', async () => {
    const binary = await shellSubAgentProvider().resolve(amd64, signal);
    expect(binary?.env).toMatchObject({ AGENTCONTAINERS_COMMAND: '' });
  });

  it.each([0, 0.5, 3_601, Number.NaN])('refuses %d seconds between heartbeats', (heartbeatSeconds) => {
    expect(() => shellSubAgentProvider({ heartbeatSeconds })).toThrow('Give a whole number from 1 to 3600.');
  });
});

describe('fileSubAgentProvider', () => {
  it('gives the digest of the file, and a new one when the file changes', async () => {
    const path = await file('my agent!.sh', '#!/bin/sh\n');
    const provider = fileSubAgentProvider({ path, args: ['run'], readyLine: 'up' });
    expect(await provider.resolve(amd64, signal)).toMatchObject({
      name: 'my-agent-.sh',
      path,
      sha256: sha256('#!/bin/sh\n'),
      args: ['run'],
      readyLine: 'up',
    });
    await writeFile(path, '#!/bin/ash');
    expect((await provider.resolve(amd64, signal))?.sha256).toBe(sha256('#!/bin/ash'));
  });

  it('chooses by platform, the variant first, and has nothing for others', async () => {
    const byPlatform = {
      'linux/amd64': await file('amd64', elfFile({ machine: 62 })),
      'linux/arm64': await file('arm64', elfFile({ machine: 183 })),
      'linux/arm': await file('arm', elfFile({ machine: 40, bits: 32 })),
      'linux/arm/v7': await file('armv7', Buffer.concat([elfFile({ machine: 40, bits: 32 }), Buffer.from('v7')])),
    };
    const provider = fileSubAgentProvider({ byPlatform, name: 'agent' });
    const chosen = async (architecture: string, variant?: string) =>
      (await provider.resolve({ operatingSystem: 'linux', architecture, variant }, signal))?.path;
    expect(await chosen('x86_64')).toBe(byPlatform['linux/amd64']);
    expect(await chosen('arm64', 'v8')).toBe(byPlatform['linux/arm64']);
    expect(await chosen('arm', 'v7')).toBe(byPlatform['linux/arm/v7']);
    expect(await chosen('arm', 'v6')).toBe(byPlatform['linux/arm']);
    expect(await chosen('riscv64')).toBeUndefined();
    expect(await chosen('constructor')).toBeUndefined();
  });

  it('refuses a file for another platform, and what is no executable', async () => {
    const provider = fileSubAgentProvider({ path: await file('x', elfFile({ machine: 62 })) });
    await expect(provider.resolve(arm64, signal)).rejects.toMatchObject({
      code: 'sub-agent-unsupported',
      message: expect.stringContaining('it is built for linux/amd64, the container is linux/arm64/v8.'),
    });
    const text = fileSubAgentProvider({ path: await file('text', 'hello') });
    await expect(text.resolve(amd64, signal)).rejects.toThrow('neither a Linux (ELF) executable nor a script');
    const odd = { operatingSystem: 'linux', architecture: 'constructor' };
    await expect(text.resolve(odd, signal)).rejects.toThrow('neither a Linux (ELF) executable nor a script');
    const elf = fileSubAgentProvider({ path: await file('y', elfFile({ machine: 62 })) });
    expect((await elf.resolve(odd, signal))?.name).toBe('y');
  });

  it('can be asked again after a file that could not be read, which may come back', async () => {
    const path = join(folder, 'late');
    const late = fileSubAgentProvider({ path });
    await expect(late.resolve(amd64, signal)).rejects.toMatchObject({
      code: 'sub-agent-delivery-failed',
      message: expect.stringMatching(/^Reading the sub-agent .*late failed: ENOENT.*\. Check the path/),
    });
    await file('late', '#!/bin/sh\n');
    expect((await late.resolve(amd64, signal))?.path).toBe(path);
    const directory = fileSubAgentProvider({ path: folder });
    await expect(directory.resolve(amd64, signal)).rejects.toMatchObject({
      code: 'sub-agent-delivery-failed',
      message: expect.stringContaining('is not a regular file. Check the path'),
    });
  });

  it('warns once of a file that needs a loader in the container', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    const path = await file('dynamic', elfFile({ machine: 62, interpreter: '/lib64/ld-linux-x86-64.so.2' }));
    const provider = fileSubAgentProvider({ path, logger });
    await provider.resolve(amd64, signal);
    await provider.resolve(amd64, signal);
    expect(warnings).toEqual([expect.stringContaining('only in containers that have /lib64/ld-linux-x86-64.so.2')]);
  });
});

describe('loadSubAgentProvider', () => {
  it('takes the default export of a module', async () => {
    await file('provider.mjs', `export default { resolve: async () => ({ name: 'mine', path: '/x', sha256: 'y' }) };`);
    const provider = await loadSubAgentProvider('provider.mjs', { cwd: folder });
    expect(await provider.resolve(amd64, signal)).toMatchObject({ name: 'mine' });
  });

  it('takes anything else as an executable', async () => {
    const provider = await loadSubAgentProvider(await file('agent', '#!/bin/sh\n'));
    expect(await provider.resolve(amd64, signal)).toMatchObject({ name: 'agent' });
  });

  it.each([
    ['bad.mjs', 'export default {};', /its default export is not a sub-agent provider\. Export an object/],
    ['none.mjs', 'export const a = 1;', /its default export is not a sub-agent provider/],
    ['broken.mjs', 'this is not JavaScript', /the module cannot be loaded \(.*\)\. Try it with `node`\./],
    ['throws.mjs', `throw new Error('boom\\nline two');`, /the module cannot be loaded \(boom\)/],
  ])('refuses the module %s readably', async (name, text, message) => {
    const path = await file(name, text);
    await expect(loadSubAgentProvider(path)).rejects.toMatchObject({
      code: 'invalid-request',
      message: expect.stringMatching(message),
    });
  });

  it('refuses a path that is not there, and a directory', async () => {
    await expect(loadSubAgentProvider(join(folder, 'nothing'))).rejects.toThrow(
      /cannot be read \(ENOENT.*\)\. Check the path\.$/,
    );
    await expect(loadSubAgentProvider(folder)).rejects.toThrow(
      'it is not a regular file. Give an executable or a module.',
    );
  });
});
