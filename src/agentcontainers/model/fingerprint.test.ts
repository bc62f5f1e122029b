import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { containerOf, createScenario, FOLDER, keyOf, T0 } from '../../../test/property/support/model-scenario.ts';
import { asListed } from '../../testing/build-container.ts';
import type { DirtyReason } from './devcontainer.ts';
import { dirtyReasons } from './fingerprint.ts';
import type { Entry, KnownConfig } from './state.ts';

function entryWith(over: Partial<Entry>): Entry {
  const scenario = createScenario();
  scenario.register();
  return { ...scenario.entry(), key: keyOf(FOLDER), link: containerOf('c1'), ...over };
}

const configOf = (
  properties: Readonly<Record<string, string>>,
  fingerprint = JSON.stringify(properties),
): KnownConfig => ({
  fingerprint,
  properties,
  modifiedAt: T0,
});
const madeOf = (properties: Readonly<Record<string, string>>, fingerprint = JSON.stringify(properties)) => [
  { containerId: 'c1', fingerprint, properties, ours: true },
];

describe('dirtyReasons', () => {
  it.each<[string, Partial<Entry>]>([
    ['no container is linked', { link: undefined, config: configOf({ image: 'b' }), made: madeOf({ image: 'a' }) }],
    ['the configuration was never read', { made: madeOf({ image: 'a' }) }],
    ['the fingerprints are equal', { config: configOf({ image: 'a' }), made: madeOf({ image: 'a' }) }],
    [
      'the fingerprints are equal, though the file was written again',
      { config: { ...configOf({ image: 'a' }), modifiedAt: T0 + 99_999 }, made: madeOf({ image: 'a' }) },
    ],
  ])('are none when %s', (_when, over) => expect(dirtyReasons(entryWith(over))).toEqual([]));

  it.each<[string, DirtyReason['class']]>([
    ['image', 'recreate'],
    ['build', 'recreate'],
    ['mounts', 'recreate'],
    ['containerEnv', 'recreate'],
    ['anythingUnknown', 'recreate'],
    ['initializeCommand', 'recreate'],
    ['postCreateCommand', 'rerun-hook'],
    ['onCreateCommand', 'rerun-hook'],
    ['updateContentCommand', 'rerun-hook'],
    ['postStartCommand', 'live'],
    ['postAttachCommand', 'live'],
    ['forwardPorts', 'live'],
    ['portsAttributes', 'live'],
    ['customizations', 'live'],
    ['name', 'live'],
    ['$schema', 'none'],
  ])('name the property %s with the class %s', (property, klass) => {
    const reason = [{ input: property, class: klass }];
    const [less, more] = [{ a: '1' }, { a: '1', [property]: 'x' }];
    expect(dirtyReasons(entryWith({ config: configOf(more), made: madeOf(less) }))).toEqual(reason);
    expect(dirtyReasons(entryWith({ config: configOf(less), made: madeOf(more) }))).toEqual(reason);
    expect(dirtyReasons(entryWith({ config: configOf({ ...more, [property]: 'y' }), made: madeOf(more) }))).toEqual(
      reason,
    );
  });

  it('list all properties that differ, sorted', () => {
    const entry = entryWith({
      config: configOf({ name: '1', image: '1' }),
      made: madeOf({ remoteEnv: '1', image: '2' }),
    });
    expect(dirtyReasons(entry).map(({ input }) => input)).toEqual(['image', 'name', 'remoteEnv']);
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', '__proto__'])(
    'class a property called %s as one that is not known',
    (name) => {
      const properties = Object.fromEntries([[name, 'now']]);
      const entry = entryWith({ config: configOf(properties, 'now'), made: madeOf({}, 'then') });
      expect(dirtyReasons(entry)).toEqual([{ input: name, class: 'recreate' }]);
    },
  );

  it('name the file when fingerprints differ but no property does', () => {
    const entry = entryWith({ config: configOf({ a: '1' }, 'now'), made: madeOf({ a: '1' }, 'then') });
    expect(dirtyReasons(entry)).toEqual([{ input: 'devcontainer.json', class: 'recreate' }]);
  });

  it('speak of the linked container, not of another that is known', () => {
    const made = [...madeOf({ image: 'old' }), { ...madeOf({ image: 'now' })[0]!, containerId: 'c2' }];
    const config = configOf({ image: 'now' });
    expect(dirtyReasons(entryWith({ config, made }))).toHaveLength(1);
    expect(dirtyReasons(entryWith({ config, made, link: containerOf('c2') }))).toEqual([]);
  });

  it.each([
    ['before it was made', -1, false],
    ['in the instant in which it was made', 0, false],
    ['strictly later', 1, true],
  ])('when it is not known what it was made from, count a file that changed %s', (_when, later, dirty) => {
    const config = { ...configOf({ image: 'a' }), modifiedAt: T0 + later };
    expect(dirtyReasons(entryWith({ config }))).toEqual(
      dirty ? [{ input: 'devcontainer.json', class: 'recreate' }] : [],
    );
  });

  it('do not take the rest of a second, of which a listing does not know, for later', () => {
    const link = asListed(containerOf('c1', { createdAt: T0 + 400 }));
    const changed = (ms: number): number =>
      dirtyReasons(entryWith({ link, config: { ...configOf({}), modifiedAt: T0 + ms } })).length;
    expect(link.createdAt).toBe(T0);
    expect([400, 999, 1000].map(changed)).toEqual([0, 0, 1]);
  });

  const properties = fc.dictionary(
    fc.constantFrom('image', 'name', 'postCreateCommand', 'mounts'),
    fc.constantFrom('1', '2'),
  );
  test.prop([properties, properties])('are there exactly when the known fingerprints differ', (then, now) => {
    const fingerprint = (of: Record<string, string>): string =>
      JSON.stringify(Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const entry = entryWith({ config: configOf(now, fingerprint(now)), made: madeOf(then, fingerprint(then)) });
    expect(dirtyReasons(entry).length > 0).toBe(fingerprint(now) !== fingerprint(then));
  });
});
