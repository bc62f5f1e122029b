import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { parseCustomization } from './customization.ts';

const DEFAULT_APPS = ['vscode', 'web_terminal', 'ssh_helper', 'port_forwarding_helper'];

describe('parseCustomization', () => {
  test('gives the defaults when nothing is said', () => {
    expect(parseCustomization([])).toEqual({
      ignore: false,
      autoStart: false,
      displayApps: DEFAULT_APPS,
      apps: [],
      problems: [],
    });
    expect(parseCustomization([{ vscode: { extensions: ['a.b'] } }]).problems).toEqual([]);
  });

  test('takes ignore, name and autoStart from the root layer only', () => {
    const lower = { agentcontainers: { ignore: true, name: 'lower', autoStart: true } };
    expect(parseCustomization([lower, {}])).toMatchObject({ ignore: false, autoStart: false });
    expect(parseCustomization([lower, {}]).name).toBeUndefined();
    expect(parseCustomization([{}, lower])).toMatchObject({ ignore: true, name: 'lower', autoStart: true });
  });

  test('understands both namespaces, and prefers its own in one layer', () => {
    expect(parseCustomization([{ coder: { name: 'theirs', ignore: true } }])).toMatchObject({
      name: 'theirs',
      ignore: true,
    });
    const both = { agentcontainers: { name: 'ours', ignore: false }, coder: { name: 'theirs', ignore: true } };
    expect(parseCustomization([both])).toMatchObject({ name: 'ours', ignore: false });
  });

  test.each(['Upper', 'a--b', '-a', 'a-', 'a_b', '', 'a b', 'ä', `a${'b'.repeat(64)}`, 7, ['a'], {}])(
    'refuses the name %j and says so',
    (name) => {
      const parsed = parseCustomization([{ agentcontainers: { name } }]);
      expect(parsed.name).toBeUndefined();
      expect(parsed.problems).toHaveLength(1);
      expect(parsed.problems[0]).toContain('customizations.agentcontainers.name');
    },
  );

  test('accepts a name of 64 characters', () => {
    expect(parseCustomization([{ coder: { name: 'a'.repeat(64) } }]).name).toBe('a'.repeat(64));
  });

  test('applies displayApps per layer in order over the defaults', () => {
    const layers = [
      { agentcontainers: { displayApps: { vscode: false, vscode_insiders: true } } },
      { coder: { displayApps: { vscode: true, web_terminal: false, unknown: true } } },
    ];
    expect(parseCustomization(layers).displayApps).toEqual([
      'vscode',
      'vscode_insiders',
      'ssh_helper',
      'port_forwarding_helper',
    ]);
  });

  test('concatenates apps, and of equal slugs the last one wins as a whole', () => {
    const layers = [
      { agentcontainers: { apps: [{ slug: 'web', url: 'http://a', icon: '/a.svg' }, { slug: 'db' }] } },
      { coder: { apps: [{ slug: 'web', url: 'http://b' }] } },
    ];
    expect(parseCustomization(layers).apps).toEqual([{ slug: 'db' }, { slug: 'web', url: 'http://b' }]);
  });

  test('leaves out what is no app, keeps the rest, and names what it left out', () => {
    const cyclic: Record<string, unknown> = { slug: 'loop' };
    cyclic['self'] = cyclic;
    const apps = [null, 'x', {}, { slug: '' }, { slug: 'a\u0007b' }, cyclic, { slug: 'big', x: 'y'.repeat(20_000) }];
    const parsed = parseCustomization([{ agentcontainers: { apps: [...apps, { slug: 'good' }] } }]);
    expect(parsed.apps).toEqual([{ slug: 'good' }]);
    expect(parsed.problems).toHaveLength(apps.length);
  });

  test('does not let a value reach a prototype', () => {
    const layer = JSON.parse('{"agentcontainers":{"apps":[{"slug":"x","__proto__":{"polluted":1}}]}}');
    const [app] = parseCustomization([layer]).apps;
    expect(app?.['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(parseCustomization([Object.create({ agentcontainers: { ignore: true } })]).ignore).toBe(false);
  });

  test('bounds layers, apps and problems, and still reads the root', () => {
    const layers = Array.from({ length: 5_000 }, () => ({ agentcontainers: { ignore: 'no', apps: [{ slug: 1 }] } }));
    const parsed = parseCustomization([...layers, { agentcontainers: { ignore: true } } as never]);
    expect(parsed.ignore).toBe(true);
    expect(parsed.problems).toHaveLength(20);
    const many = Array.from({ length: 1_000 }, (_, index) => ({ slug: `a${index}` }));
    expect(parseCustomization([{ coder: { apps: many } }]).apps).toHaveLength(200);
  });

  test('survives values that throw when they are looked at', () => {
    const trap = new Proxy(
      {},
      {
        get() {
          throw new Error('no');
        },
        getOwnPropertyDescriptor() {
          throw new Error('no');
        },
        ownKeys() {
          throw new Error('no');
        },
      },
    );
    expect(parseCustomization([{ agentcontainers: trap, coder: { apps: [trap], displayApps: trap } }]).apps).toEqual(
      [],
    );
    expect(parseCustomization(trap as never).ignore).toBe(false);
  });

  const hostile = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true });
  const section = fc.record(
    {
      name: hostile,
      ignore: hostile,
      autoStart: hostile,
      displayApps: hostile,
      apps: fc.oneof(hostile, fc.array(hostile)),
    },
    { requiredKeys: [] },
  );
  property.prop([
    fc.oneof(hostile, fc.array(fc.record({ agentcontainers: fc.oneof(hostile, section), coder: section }))),
  ])('never throws and always gives usable values', (layers) => {
    const parsed = parseCustomization(layers as never);
    expect(typeof parsed.ignore).toBe('boolean');
    expect(typeof parsed.autoStart).toBe('boolean');
    expect(parsed.name === undefined || /^[a-z0-9]+(-[a-z0-9]+)*$/.test(parsed.name)).toBe(true);
    expect(new Set(parsed.apps.map((app) => app.slug)).size).toBe(parsed.apps.length);
    expect(() => JSON.stringify(parsed)).not.toThrow();
  });
});
