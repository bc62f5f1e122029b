import { describe, expect, it } from 'vitest';
import type { SubAgentSpec } from '../agentcontainers/ports.ts';
import { createSubAgentRegistry } from './registry.ts';

const { signal } = new AbortController();

function spec(name: string, more: Partial<SubAgentSpec> = {}): SubAgentSpec {
  return {
    name,
    directory: '/workspaces/x',
    operatingSystem: 'linux',
    architecture: 'amd64',
    displayApps: ['vscode'],
    apps: [{ slug: 'web', url: 'http://x' }],
    ...more,
  };
}

function registry() {
  let count = 0;
  return createSubAgentRegistry({ newId: () => `id-${++count}` });
}

describe('createSubAgentRegistry', () => {
  it('gives out a record and a token of 256 bits that verifies to it', async () => {
    const plane = registry();
    const { record, token } = await plane.create(spec('one'), signal);
    expect(record).toEqual({ ...spec('one'), id: 'id-1' });
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(plane.verifyToken(token)).toEqual(record);
    expect(plane.verifyToken('')).toBeUndefined();
    expect(plane.verifyToken(`${token}x`)).toBeUndefined();
    const other = await plane.create(spec('two'), signal);
    expect(other.token).not.toBe(token);
    expect(JSON.stringify(await plane.list(signal))).not.toContain(token);
  });

  it('refuses a name that is taken, whatever its case', async () => {
    const plane = registry();
    await plane.create(spec('project'), signal);
    await expect(plane.create(spec('Project'), signal)).rejects.toMatchObject({
      code: 'sub-agent-name-taken',
      details: { name: 'Project' },
    });
    expect(await plane.list(signal)).toHaveLength(1);
  });

  it('updates a pre-assigned record in place and ends its earlier token', async () => {
    const plane = registry();
    const first = await plane.create({ ...spec('a'), id: 'given' }, signal);
    const second = await plane.create({ ...spec('a', { directory: '/elsewhere' }), id: 'given' }, signal);
    expect(await plane.list(signal)).toEqual([{ ...spec('a', { directory: '/elsewhere' }), id: 'given' }]);
    expect(plane.verifyToken(first.token)).toBeUndefined();
    expect(plane.verifyToken(second.token)?.id).toBe('given');
    await plane.create(spec('b'), signal);
    await expect(plane.create({ ...spec('B'), id: 'given' }, signal)).rejects.toMatchObject({
      code: 'sub-agent-name-taken',
    });
    expect(plane.verifyToken(second.token)?.name).toBe('a');
  });

  it('deletes a record with its token and frees its name; already gone is success', async () => {
    const plane = registry();
    const { record, token } = await plane.create(spec('a'), signal);
    await plane.delete(record.id, signal);
    await plane.delete(record.id, signal);
    expect(plane.verifyToken(token)).toBeUndefined();
    expect(await plane.list(signal)).toEqual([]);
    await plane.create(spec('A'), signal);
  });

  it('shares nothing with its callers, and does nothing for one that has left', async () => {
    const plane = registry();
    const apps = [{ slug: 'web' }];
    const { record } = await plane.create(spec('a', { apps }), signal);
    apps[0] = { slug: 'changed' };
    (record.apps as { slug: string }[]).pop();
    expect((await plane.list(signal))[0]?.apps).toEqual([{ slug: 'web' }]);
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(plane.create(spec('b'), gone)).rejects.toThrow('gone');
    await expect(plane.delete(record.id, gone)).rejects.toThrow('gone');
    expect(await plane.list(signal)).toHaveLength(1);
  });
});
