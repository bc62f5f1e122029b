import { fc, test as property } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { composeOf, fileAt, inputsOf } from '../../../test/support/parsed-inputs.ts';
import type { Finding } from '../../agentcontainers/model/verdict.ts';
import { MAX_TEXT } from './finding-detail.ts';
import { MAX_FINDINGS } from './finding-list.ts';
import { findingsOf } from './findings-of.ts';
import { imageFindings } from './image-findings.ts';

const CONFIG = [
  ...['initializeCommand', 'mounts', 'workspaceMount', 'workspaceFolder', 'runArgs', 'privileged', 'capAdd', 'name'],
  ...['securityOpt', 'appPort', 'image', 'service', 'runServices', 'build', 'dockerFile', 'context', 'features'],
  ...['containerEnv', 'containerUser', 'entrypoint', 'hostRequirements', 'dockerComposeFile', 'customizations'],
  ...['dockerfile', 'args', 'options', 'cacheFrom', 'gpu', 'type', 'source', 'target', '__proto__', 'constructor'],
];
const COMPOSE = [
  ...['services', 'volumes', 'networks', 'secrets', 'configs', 'include', 'name', 'version', 'x-a', 'image', 'build'],
  ...['environment', 'env_file', 'ports', 'devices', 'privileged', 'network_mode', 'extends', 'file', 'path', 'labels'],
  ...['deploy', 'resources', 'reservations', 'logging', 'driver', 'driver_opts', 'post_start', 'extra_hosts', '<<'],
];
const TEXTS = [
  ...[
    '--privileged',
    '-v',
    '--name',
    '-it',
    '-',
    '--',
    '',
    'host',
    '/',
    '..',
    '.',
    '~',
    '/ws',
    '${localWorkspaceFolder}',
  ],
  ...[
    '${localEnv:A}',
    '${A:-b}',
    '$A',
    '$',
    '${',
    'type=bind,source=/,target=/x',
    '..:/x',
    '1:1',
    '\u001b[31m',
    '\u0000',
  ],
  ...['\u202e', '\ud800', 'a'.repeat(400)],
];
const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary', maxLength: 20 }));
const anything = (names: readonly string[]) =>
  fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      text,
      fc.constantFrom(true, false, null, 0, 3000, -1),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...names), text), tie('value'), { maxKeys: 6 }),
    ),
  })).value;
const record = (names: readonly string[]) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...names), text), anything(names), { maxKeys: 8 });
const inputs = fc
  .tuple(
    record(CONFIG),
    anything(COMPOSE),
    anything(COMPOSE),
    anything(CONFIG),
    fc.dictionary(text, text),
    fc.array(text),
  )
  .map(([config, first, second, feature, composeVariables, remoteFeatures]) =>
    inputsOf(config, {
      compose: [fileAt('.devcontainer/compose.yml', { services: { a: first } }), fileAt('\u001b[31mx\n.yml', second)],
      localFeatures: [fileAt('.devcontainer/f/devcontainer-feature.json', feature)],
      remoteFeatures,
      composeVariables,
    }),
  );

/** The same with the keys of every object the other way round. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = Object.create(Object.getPrototypeOf(value) as object) as Record<
    string,
    unknown
  >;
  for (const [name, field] of Object.entries(value).toReversed()) {
    Object.defineProperty(result, name, { value: turned(field), enumerable: true, configurable: true, writable: true });
  }
  return result;
}

function expectShowable(findings: readonly Finding[]): void {
  expect(findings.length).toBeLessThanOrEqual(MAX_FINDINGS + 1);
  for (const { detail, source } of findings) {
    for (const shown of [detail, source]) {
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      expect(shown.length).toBeLessThanOrEqual(MAX_TEXT);
      expect(shown).not.toBe('');
    }
  }
  const texts = findings.map((finding) => JSON.stringify(finding));
  expect(new Set(texts).size).toBe(texts.length);
}

describe('findings', () => {
  property.prop([inputs], { numRuns: 300 })(
    'of anything are showable, and the same whatever the order of keys',
    (parsed) => {
      const findings = findingsOf(parsed);
      expectShowable(findings);
      expect(findingsOf(turned(parsed) as typeof parsed)).toEqual(findings);
    },
  );

  property.prop([text, anything(CONFIG)], { numRuns: 300 })(
    'of any label of an image are showable',
    (name, metadata) => {
      for (const label of [name, JSON.stringify(metadata)]) {
        expectShowable(imageFindings(name, { 'devcontainer.metadata': label, [name]: name }));
      }
    },
  );

  property.prop([fc.array(text, { maxLength: 6 }), fc.array(text, { maxLength: 6 })], { numRuns: 300 })(
    'of two lists of mounts are equal only if the mounts are',
    (one, other) => {
      const [a, b] = [one, other].map((mounts) =>
        findingsOf(inputsOf({ mounts })).filter(({ kind }) => kind === 'mount'),
      );
      const [asked, askedOther] = [one, other].map((mounts) => [...new Set(mounts)].sort());
      expect(JSON.stringify(a) === JSON.stringify(b)).toBe(JSON.stringify(asked) === JSON.stringify(askedOther));
    },
  );

  property.prop([anything(COMPOSE)], { numRuns: 200 })('of a service with a grave property always name it', (value) => {
    const service = { other: value, privileged: true, volumes: ['/:/x'] };
    const details = findingsOf(composeOf({ services: { a: service } })).map(({ detail }) => detail);
    expect(details).toEqual(expect.arrayContaining(['services.a.privileged: true', 'services.a.volumes: /:/x']));
  });
});
