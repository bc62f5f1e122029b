import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { containerOf, createScenario, FOLDER, keyOf, T0 } from '../../../test/property/support/model-scenario.ts';
import { asListed } from '../../testing/build-container.ts';
import type { DirtyReason } from './devcontainer.ts';
import { dirtyReasons, UNKNOWN_INPUT } from './fingerprint.ts';
import type { Entry, KnownConfig } from './state.ts';

function entryWith(over: Partial<Entry>): Entry {
  const scenario = createScenario();
  scenario.register();
  return { ...scenario.entry(), key: keyOf(FOLDER), link: containerOf('c1'), ...over };
}

const configOf = (inputs: Readonly<Record<string, string>>, fingerprint = JSON.stringify(inputs)): KnownConfig => ({
  fingerprint,
  inputs,
  modifiedAt: T0,
});
const madeOf = (inputs: Readonly<Record<string, string>>, fingerprint = JSON.stringify(inputs)) => [
  { containerId: 'c1', fingerprint, inputs, ours: true },
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

  it('name an input that is not known of the container, whatever it is now', () => {
    const files = { image: 'a', './Dockerfile': 'one' };
    const made = madeOf({ ...files, './Dockerfile': UNKNOWN_INPUT, './.dockerignore': UNKNOWN_INPUT }, 'same');
    const reasons = ['./.dockerignore', './Dockerfile'].map((input) => ({ input, class: 'recreate' }));
    expect(dirtyReasons(entryWith({ config: configOf(files, 'same'), made }))).toEqual(reasons);
    expect(dirtyReasons(entryWith({ config: configOf({ ...files, './Dockerfile': 'two' }), made }))).toEqual(reasons);
  });

  // Every property of the schema of devcontainer.json, and what else can be an input.
  it.each<[string, DirtyReason['class'], string]>([
    ['$schema', 'none', 'only editors read it'],
    ['secrets', 'none', 'only says which secrets a person should be asked for'],
    ['name', 'live', 'a text that is shown'],
    ['customizations', 'live', 'tools read it from the merged configuration each time'],
    ['forwardPorts', 'live', 'a wish to whoever is connected'],
    ['portsAttributes', 'live', 'the same'],
    ['otherPortsAttributes', 'live', 'the same'],
    ['shutdownAction', 'live', 'decided when the last one leaves'],
    ['postStartCommand', 'live', 'runs at each start'],
    ['postAttachCommand', 'live', 'runs whenever somebody attaches'],
    ['waitFor', 'live', 'only says when to connect'],
    ['userEnvProbe', 'live', 'the environment is probed for each connection'],
    ['remoteEnv', 'live', 'set for each process, not for the container'],
    ['onCreateCommand', 'rerun-hook', 'ran once in the container'],
    ['updateContentCommand', 'rerun-hook', 'the same'],
    ['postCreateCommand', 'rerun-hook', 'the same'],
    ['initializeCommand', 'recreate', 'runs on the host, when a container is made; what it prepares may be built in'],
    ['image', 'recreate', 'what the container is made from'],
    ['build', 'recreate', 'how its image is made'],
    ['dockerFile', 'recreate', 'the older name of build.dockerfile'],
    ['context', 'recreate', 'the older name of build.context'],
    ['features', 'recreate', 'built into the image'],
    ['overrideFeatureInstallOrder', 'recreate', 'the same'],
    ['updateRemoteUserUID', 'recreate', 'the user is changed in the image'],
    ['remoteUser', 'recreate', 'features are installed for this user, and its id is changed in the image'],
    ['containerUser', 'recreate', 'given to the engine when the container is made'],
    ['containerEnv', 'recreate', 'the same'],
    ['mounts', 'recreate', 'the same'],
    ['init', 'recreate', 'the same'],
    ['privileged', 'recreate', 'the same'],
    ['capAdd', 'recreate', 'the same'],
    ['securityOpt', 'recreate', 'the same'],
    ['runArgs', 'recreate', 'the same'],
    ['appPort', 'recreate', 'published when the container is made'],
    ['hostRequirements', 'recreate', 'its GPU becomes an argument to the engine'],
    ['overrideCommand', 'recreate', 'the command of the container'],
    ['workspaceFolder', 'recreate', 'where the workspace is mounted'],
    ['workspaceMount', 'recreate', 'the mount itself'],
    ['dockerComposeFile', 'recreate', 'what the project is made from'],
    ['service', 'recreate', 'which of its containers is the dev container'],
    ['runServices', 'recreate', 'which services are started with it'],
    ['anythingUnknown', 'recreate', 'of a later specification: the safe side'],
    ['./.devcontainer/Dockerfile', 'recreate', 'a file'],
    ['./src/', 'recreate', 'files of a directory'],
    ['/elsewhere/compose.yaml', 'recreate', 'a file outside of the workspace'],
    ['customizations.agentcontainers.watch', 'recreate', 'many files that the user lists'],
  ])('name the input %s with the class %s: %s', (property, klass) => {
    const reason = [{ input: property, class: klass }];
    const [less, more] = [{ a: '1' }, { a: '1', [property]: 'x' }];
    expect(dirtyReasons(entryWith({ config: configOf(more), made: madeOf(less) }))).toEqual(reason);
    expect(dirtyReasons(entryWith({ config: configOf(less), made: madeOf(more) }))).toEqual(reason);
    expect(dirtyReasons(entryWith({ config: configOf({ ...more, [property]: 'y' }), made: madeOf(more) }))).toEqual(
      reason,
    );
  });

  it.each<[string, Record<string, string>, Record<string, string>, string[]]>([
    ['it is another one', { 'image a': '1' }, { 'image a': '2' }, ['image a']],
    ['it is the same', { 'image a': '1' }, { 'image a': '1' }, []],
    ['it was not known then', {}, { 'image a': '1' }, []],
    ['it is not known now', { 'image a': '1' }, {}, []],
    [
      'two are and one is not',
      { 'image a': '1', 'image b': '1' },
      { 'image a': '2', 'image b': '2' },
      ['image a', 'image b'],
    ],
  ])('compare the digest of an image where both know it: %s', (_when, then, now, differs) => {
    const files = { image: 'x' };
    // The fingerprint is that of the files, and they are the same.
    const entry = entryWith({ config: configOf({ ...files, ...now }, 'f'), made: madeOf({ ...files, ...then }, 'f') });
    expect(dirtyReasons(entry)).toEqual(differs.map((input) => ({ input, class: 'recreate' })));
  });

  it('tell of files and images together', () => {
    const entry = entryWith({
      config: configOf({ name: '2', 'image a': '2', 'image b': '2' }, 'now'),
      made: madeOf({ name: '1', 'image a': '1' }, 'then'),
    });
    expect(dirtyReasons(entry)).toEqual([
      { input: 'image a', class: 'recreate' },
      { input: 'name', class: 'live' },
    ]);
  });

  it('name the file when only the fingerprint is known that it was made from', () => {
    const config = configOf({ image: '1', './Dockerfile': '1' }, 'now');
    expect(dirtyReasons(entryWith({ config, made: madeOf({}, 'then') }))).toEqual([
      { input: 'devcontainer.json', class: 'recreate' },
    ]);
    expect(dirtyReasons(entryWith({ config, made: madeOf({}, 'now') }))).toEqual([]);
  });

  it('list all inputs that differ, sorted', () => {
    const entry = entryWith({
      config: configOf({ name: '1', image: '1' }),
      made: madeOf({ remoteEnv: '1', image: '2' }),
    });
    expect(dirtyReasons(entry).map(({ input }) => input)).toEqual(['image', 'name', 'remoteEnv']);
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', '__proto__'])(
    'class a property called %s as one that is not known',
    (name) => {
      const inputs = Object.fromEntries([[name, 'now']]);
      const entry = entryWith({ config: configOf({ a: '1', ...inputs }, 'now'), made: madeOf({ a: '1' }, 'then') });
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

  const inputs = fc.dictionary(
    fc.constantFrom('image', 'name', 'postCreateCommand', 'mounts'),
    fc.constantFrom('1', '2'),
  );
  test.prop([inputs, inputs])('are there exactly when the known fingerprints differ', (then, now) => {
    const fingerprint = (of: Record<string, string>): string =>
      JSON.stringify(Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const entry = entryWith({ config: configOf(now, fingerprint(now)), made: madeOf(then, fingerprint(then)) });
    expect(dirtyReasons(entry).length > 0).toBe(fingerprint(now) !== fingerprint(then));
  });
});
