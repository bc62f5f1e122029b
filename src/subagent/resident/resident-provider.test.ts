import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SubAgentBinary, SubAgentProvider } from '../../agentcontainers/ports.ts';
import { residentSubAgentProvider } from './resident-provider.ts';

const { signal } = new AbortController();
const sh: SubAgentBinary = { name: 'sub-agent', path: '/sh', sha256: '0'.repeat(64) };
const fallback: SubAgentProvider = { resolve: async () => sh };
const linux = (architecture: string) => ({ operatingSystem: 'linux', architecture });
const sum = (text: string): string => createHash('sha256').update(text).digest('hex');
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'resident-provider-'));
  for (const name of ['amd64', 'arm64']) {
    await mkdir(join(directory, `linux-${name}`));
    await writeFile(join(directory, `linux-${name}/resident`), `for ${name}`);
  }
  await writeFile(
    join(directory, 'SHA256SUMS'),
    `${sum('for amd64')}  linux-amd64/resident\n${sum('for arm64')} *./linux-arm64/resident\n`,
  );
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const resolve = (platform = linux('amd64'), of = residentSubAgentProvider({ directory, fallback })) =>
  of.resolve(platform, signal);

it.each(['amd64', 'arm64'])('gives the resident for linux/%s, with the digest of the list', async (architecture) => {
  expect(await resolve(linux(architecture))).toMatchObject({
    name: 'resident',
    path: join(directory, `linux-${architecture}/resident`),
    sha256: sum(`for ${architecture}`),
    protocol: 'resident',
  });
});

it('knows other names of the architectures', async () => {
  expect(await resolve(linux('x86_64'))).toMatchObject({ protocol: 'resident' });
  expect(await resolve(linux('aarch64'))).toMatchObject({ protocol: 'resident' });
});

it.each([linux('riscv64'), { operatingSystem: 'windows', architecture: 'amd64' }])(
  'gives the other sub-agent for %j, or none',
  async (platform) => {
    expect(await resolve(platform)).toBe(sh);
    expect(await resolve(platform, residentSubAgentProvider({ directory }))).toBeUndefined();
  },
);

it('gives the other sub-agent where none was built', async () => {
  await rm(join(directory, 'linux-amd64/resident'));
  expect(await resolve()).toBe(sh);
  expect(await resolve(linux('arm64'))).toMatchObject({ protocol: 'resident' });
  await rm(join(directory, 'SHA256SUMS'));
  expect(await resolve(linux('arm64'))).toBe(sh);
  expect(await resolve(linux('amd64'), residentSubAgentProvider({ directory: '/not/there', fallback }))).toBe(sh);
});

it('refuses a file that is not the one of the list', async () => {
  await writeFile(join(directory, 'linux-amd64/resident'), 'something else');
  await expect(resolve()).rejects.toMatchObject({
    code: 'sub-agent-delivery-failed',
    message: expect.stringContaining('its digest is not that of SHA256SUMS'),
  });
});
