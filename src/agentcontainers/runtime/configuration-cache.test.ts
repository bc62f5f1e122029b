import { describe, expect, it } from 'vitest';
import { createScenario, FOLDER, readingOf } from '../../../test/property/support/model-scenario.ts';
import { buildMergedConfiguration } from '../../testing/build-configuration.ts';
import { CONFIGURATIONS_KEPT } from '../constants.ts';
import type { Entry } from '../model/state.ts';
import type { DevcontainerCli } from '../ports.ts';
import { createConfigurationCache } from './configuration-cache.ts';

const { signal } = new AbortController();

function entryOf(fingerprint: string, id = FOLDER): Entry {
  const scenario = createScenario();
  scenario.register(id);
  scenario.dispatch({ type: 'configRead', id, reading: readingOf(fingerprint) });
  return scenario.entry(id);
}

/** The file says `now.fingerprint`; what the CLI computes says from which configuration it did. */
function createReads(answer: (count: number) => Promise<unknown> = async () => undefined) {
  const requests: Parameters<DevcontainerCli['readConfiguration']>[0][] = [];
  const now: { fingerprint: string | undefined } = { fingerprint: 'one' };
  const cache = createConfigurationCache(
    {
      async readConfiguration(request) {
        requests.push(request);
        await answer(requests.length);
        return buildMergedConfiguration(`/in/${String(request.config?.['name'])}`);
      },
    },
    async () =>
      now.fingerprint === undefined
        ? { reading: { kind: 'missing' }, source: {} }
        : { reading: readingOf(now.fingerprint), source: { name: now.fingerprint } },
  );
  return { requests, cache, now };
}

describe('the cache of merged configurations', () => {
  it('reads once for one devcontainer, fingerprint and image, also in another container', async () => {
    const { requests, cache } = createReads();
    const first = await cache.read(entryOf('one'), 'image', 'c1', signal);
    expect(await cache.read(entryOf('one'), 'image', 'c2', signal)).toBe(first);
    const config = { name: 'one' };
    expect(requests).toEqual([{ key: entryOf('one').key, config, containerId: 'c1', signal }]);
  });

  it.each<[string, Entry, string]>([
    ['another fingerprint', entryOf('two'), 'image'],
    ['another image', entryOf('one'), 'other image'],
    ['another devcontainer', entryOf('one', '/w/b'), 'image'],
  ])('reads anew for %s', async (_what, entry, image) => {
    const { requests, cache, now } = createReads();
    await cache.read(entryOf('one'), 'image', 'c1', signal);
    now.fingerprint = entry.config?.fingerprint;
    await cache.read(entry, image, 'c1', signal);
    expect(requests).toHaveLength(2);
  });

  it('keeps for a fingerprint only what was computed from that configuration, also when the file is ahead of the state', async () => {
    const { requests, cache, now } = createReads();
    // It was written a moment ago; nobody has noticed yet.
    now.fingerprint = 'two';
    expect(await cache.read(entryOf('one'), 'image', 'c1', signal)).toMatchObject({
      workspaceFolder: '/workspaces/two',
    });
    now.fingerprint = 'one';
    expect(await cache.read(entryOf('one'), 'image', 'c1', signal)).toMatchObject({
      workspaceFolder: '/workspaces/one',
    });
    expect(await cache.read(entryOf('two'), 'image', 'c1', signal)).toMatchObject({
      workspaceFolder: '/workspaces/two',
    });
    expect(requests).toHaveLength(2);
  });

  it('keeps nothing that was computed from a configuration which cannot be read', async () => {
    const { requests, cache, now } = createReads();
    now.fingerprint = undefined;
    await cache.read(entryOf('one'), 'image', 'c1', signal);
    expect(requests[0]).not.toHaveProperty('config');
    now.fingerprint = 'one';
    expect(await cache.read(entryOf('one'), 'image', 'c1', signal)).toMatchObject({
      workspaceFolder: '/workspaces/one',
    });
  });

  it('does not keep a failure', async () => {
    const { requests, cache } = createReads((count) =>
      count === 1 ? Promise.reject(new Error('no')) : Promise.resolve(),
    );
    await expect(cache.read(entryOf('one'), 'image', 'c1', signal)).rejects.toThrow('no');
    await cache.read(entryOf('one'), 'image', 'c1', signal);
    expect(requests).toHaveLength(2);
  });

  it('is bounded: the oldest go', async () => {
    const { requests, cache } = createReads();
    const entry = entryOf('one');
    for (let index = 0; index <= CONFIGURATIONS_KEPT; index++) await cache.read(entry, `image ${index}`, 'c1', signal);
    expect(requests).toHaveLength(CONFIGURATIONS_KEPT + 1);
    await cache.read(entry, 'image 1', 'c1', signal);
    expect(requests).toHaveLength(CONFIGURATIONS_KEPT + 1);
    await cache.read(entry, 'image 0', 'c1', signal);
    expect(requests).toHaveLength(CONFIGURATIONS_KEPT + 2);
  });
});
