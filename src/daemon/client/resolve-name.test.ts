import { describe, expect, test } from 'vitest';
import { editDistance, resolveName } from './resolve-name.ts';
import type { WireDevcontainer } from '../../http/wire-schemas.ts';

const entry = (id: string, name: string, folder: string, config?: string): WireDevcontainer => ({
  id,
  name,
  workspace_folder: folder,
  status: 'running',
  dirty: false,
  subagent_id: null,
  level: 'adopted',
  trusted: true,
  busy: false,
  ...(config === undefined ? {} : { config_path: config }),
});
const ENTRIES = [
  entry('1111aaaa', 'app', '/w/app'),
  entry('1111bbbb', 'site', '/w/site', '/w/site/a.json'),
  entry('2222cccc', 'site-two', '/w/site', '/w/site/b.json'),
  entry('3333dddd', '1111', '/w/odd'),
];
const find = (text: string, folder?: string) => resolveName({ text, folder }, ENTRIES);

describe('resolveName', () => {
  test.each([
    ['an id', '1111aaaa', undefined, '1111aaaa'],
    ['a name', 'site', undefined, '1111bbbb'],
    ['a unique beginning of an id', '2222', undefined, '2222cccc'],
    ['a folder', './app', '/w/app', '1111aaaa'],
    ['a folder named without a slash', 'odd', '/w/odd', '3333dddd'],
    ['a name before the beginning of an id', '1111', undefined, '3333dddd'],
    ['a name before a folder', 'app', '/w/site', '1111aaaa'],
  ])('%s', (_way, text, folder, id) => {
    expect(find(text, folder).id).toBe(id);
  });

  test('a folder with several configurations is ambiguous, and they are listed', () => {
    expect(() => find('/w/site', '/w/site')).toThrow(
      expect.objectContaining({
        code: 'devcontainer-ambiguous',
        details: {
          detail: expect.stringContaining('1111bbbb (site, /w/site/a.json); 2222cccc (site-two, /w/site/b.json)'),
        },
      }),
    );
  });

  test('a beginning of several ids is ambiguous', () => {
    expect(() => resolveName({ text: '1111' }, ENTRIES.slice(0, 2))).toThrow(
      expect.objectContaining({ code: 'devcontainer-ambiguous' }),
    );
  });

  test('a path is never a name', () => {
    expect(() => find('./app')).toThrow(expect.objectContaining({ code: 'devcontainer-not-found' }));
  });

  test('a short beginning of an id is not enough', () => {
    expect(() => find('222')).toThrow(expect.objectContaining({ code: 'devcontainer-not-found' }));
  });

  test('a near miss is proposed', () => {
    expect(() => find('siet')).toThrow(
      expect.objectContaining({ details: { detail: expect.stringContaining('Did you mean site?') } }),
    );
  });

  test('without any entry the next step is to bring one up', () => {
    expect(() => resolveName({ text: 'x' }, [])).toThrow(
      expect.objectContaining({ details: { detail: expect.stringContaining('agentcontainers up <folder>') } }),
    );
  });
});

test.each([
  ['', '', 0],
  ['abc', 'abc', 0],
  ['abc', 'acb', 2],
  ['kitten', 'sitting', 3],
  ['', 'abc', 3],
])('editDistance(%j, %j) is %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});
