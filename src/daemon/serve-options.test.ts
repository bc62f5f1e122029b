import { Command } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { normalizeEnvironment } from './environment.ts';
import { addServeOptions, type ServeFlags } from './serve-options.ts';

afterEach(() => vi.unstubAllEnvs());

function parse(args: string[], env: Record<string, string> = {}): ServeFlags {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const command = addServeOptions(new Command('serve'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(args, { from: 'user' });
  return command.opts<ServeFlags>();
}

test('defaults', () => {
  expect(parse([])).toEqual({
    listen: { host: '127.0.0.1', port: 0 },
    updateInterval: 10_000,
    adopt: 'roots',
    label: [],
    discovery: true,
    autostart: false,
    subAgentEnv: {},
    logLevel: 'info',
    allowRemote: [],
  });
});

test('every option but the hidden one and help can be given by a variable of its name', () => {
  const command = addServeOptions(new Command('serve'));
  for (const option of command.options) {
    if (option.hidden) continue;
    expect(option.envVar).toBe(`AGENTCONTAINERS_${(option.long ?? '').slice(2).replaceAll('-', '_').toUpperCase()}`);
  }
});

describe('a flag goes before its variable, and the variable before the default', () => {
  test.each([
    [['--update-interval', '2s'], {}, 2_000],
    [[], { AGENTCONTAINERS_UPDATE_INTERVAL: '3s' }, 3_000],
    [['--update-interval', '2s'], { AGENTCONTAINERS_UPDATE_INTERVAL: '3s' }, 2_000],
    [[], {}, 10_000],
  ])('%j with %j', (args, env, expected) => {
    expect(parse(args, env).updateInterval).toBe(expected);
  });
});

test('repeated options are collected; in a variable they stand one a line', () => {
  expect(parse(['--label', 'a=1', '--label', 'b']).label).toEqual(['a=1', 'b']);
  expect(parse([], { AGENTCONTAINERS_LABEL: 'a=1,2\nb\n' }).label).toEqual(['a=1,2', 'b']);
  expect(parse(['--sub-agent-env', 'A=b=c', '--sub-agent-env', 'B=']).subAgentEnv).toEqual({ A: 'b=c', B: '' });
});

test('addresses are read, and the TCP listener can be switched off', () => {
  expect(parse(['--listen', '[::1]:80', '--metrics-address', ':9090'])).toMatchObject({
    listen: { host: '::1', port: 80 },
    metricsAddress: { host: '127.0.0.1', port: 9090 },
  });
  expect(parse(['--listen', 'off']).listen).toBe('off');
});

test.each([
  [['--update-interval', '10'], 'Did you mean 10s?'],
  [['--update-interval', '1ms'], 'between 100ms and'],
  [['--listen', 'http://x'], 'An address is host:port'],
  [['--label', '=x'], 'is no label'],
  [['--sub-agent-env', 'x y'], 'is written NAME=value'],
  [['--sub-agent-url', 'ftp://x'], 'begins with http'],
  [['--allow-remote', 'a/b'], 'is no host'],
  [['--adopt', 'some'], 'Allowed choices are roots, all, none'],
  [['--log-level', 'loud'], 'Allowed choices are'],
  [['--docker-host', 'unix:///x', '--docker-context', 'y'], 'cannot be used with'],
  [['--sub-agent', 'x', '--sub-agent-command', 'y'], 'cannot be used with'],
  [['--docker-context', 'y', '--docker-host', 'unix:///x'], 'cannot be used with'],
])('%j is refused with what is allowed', (args, text) => {
  expect(() => parse(args)).toThrow(text);
});

describe('a flag goes before the variable of a flag that excludes it', () => {
  const HOST = { AGENTCONTAINERS_DOCKER_HOST: 'unix:///e' };
  const CONTEXT = { AGENTCONTAINERS_DOCKER_CONTEXT: 'e' };
  test.each([
    [['--docker-host', 'unix:///x'], CONTEXT, { dockerHost: 'unix:///x' }],
    [['--docker-context', 'x'], HOST, { dockerContext: 'x' }],
    [[], { ...HOST, ...CONTEXT }, { dockerHost: 'unix:///e' }],
    [[], CONTEXT, { dockerContext: 'e' }],
  ])('%j with %j', (args, env, expected) => {
    const { dockerHost, dockerContext } = parse(args, env);
    expect({ dockerHost, dockerContext }).toEqual({ dockerHost: undefined, dockerContext: undefined, ...expected });
  });
  test.each([
    [['--sub-agent', 'x'], { AGENTCONTAINERS_SUB_AGENT_COMMAND: 'e' }, { subAgent: 'x' }],
    [['--sub-agent-command', 'x'], { AGENTCONTAINERS_SUB_AGENT: 'e' }, { subAgentCommand: 'x' }],
  ])('%j with %j', (args, env, expected) => {
    const { subAgent, subAgentCommand } = parse(args, env);
    expect({ subAgent, subAgentCommand }).toEqual({ subAgent: undefined, subAgentCommand: undefined, ...expected });
  });
});

describe('discovery is on unless it is switched off, and starting by itself off unless it is switched on', () => {
  test.each<[string[], Record<string, string>, boolean]>([
    [[], {}, true],
    [['--no-discovery'], {}, false],
    [['--discovery'], { AGENTCONTAINERS_NO_DISCOVERY: '1' }, true],
    [['--no-discovery'], { AGENTCONTAINERS_DISCOVERY: '1' }, false],
    [[], { AGENTCONTAINERS_DISCOVERY: 'yes' }, true],
    [[], { AGENTCONTAINERS_DISCOVERY: 'no' }, false],
    [[], { AGENTCONTAINERS_NO_DISCOVERY: '1' }, false],
    [[], { AGENTCONTAINERS_NO_DISCOVERY: '0' }, true],
    [[], { AGENTCONTAINERS_DISCOVERY: '' }, true],
  ])('%j with %j', (args, env, expected) => {
    const normalized: NodeJS.ProcessEnv = { ...env };
    normalizeEnvironment(normalized);
    expect(parse(args, normalized as Record<string, string>).discovery).toBe(expected);
  });
  test.each<[string[], Record<string, string>, boolean]>([
    [['--autostart'], {}, true],
    [[], { AGENTCONTAINERS_AUTOSTART: '1' }, true],
    [[], { AGENTCONTAINERS_AUTOSTART: 'false' }, false],
  ])('%j with %j', (args, env, expected) => {
    const normalized: NodeJS.ProcessEnv = { ...env };
    normalizeEnvironment(normalized);
    expect(parse(args, normalized as Record<string, string>).autostart).toBe(expected);
  });
});

test('an environment variable that is wrong is named', () => {
  expect(() => parse([], { AGENTCONTAINERS_LISTEN: 'a b' })).toThrow("from env 'AGENTCONTAINERS_LISTEN'");
});

test('empty variables count as unset, and a flag can be switched off by its variable', () => {
  const env: NodeJS.ProcessEnv = {
    AGENTCONTAINERS_LISTEN: ' ',
    AGENTCONTAINERS_LOG_JSON: 'False',
    AGENTCONTAINERS_LABEL: '0',
    OTHER: '',
  };
  normalizeEnvironment(env);
  expect(env).toEqual({ AGENTCONTAINERS_LABEL: '0', OTHER: '' });
  const on: NodeJS.ProcessEnv = { AGENTCONTAINERS_LOG_JSON: '1' };
  normalizeEnvironment(on);
  expect(on).toEqual({ AGENTCONTAINERS_LOG_JSON: '1' });
});
