import { expect, it } from 'vitest';

import { childEnvironment, mayBeInEnvironment, withProjectName } from './child-environment.ts';
import { createRedact } from './redaction.ts';

const WITHOUT_GIT = { BUILDX_GIT_INFO: '0', BUILDX_GIT_LABELS: '0', COMPOSE_EXPERIMENTAL_GIT_REMOTE: '0' };

it('passes what is listed and nothing else', () => {
  const source = {
    PATH: '/bin',
    HOME: '/root',
    LC_ALL: 'C',
    XDG_RUNTIME_DIR: '/run/user/0',
    https_proxy: 'http://proxy:1',
    COMPOSE_HTTP_TIMEOUT: '9',
    BUILDKIT_PROGRESS: 'plain',
    DOCKER_CONFIG: '/d',
    COMPOSE_PROJECT_NAME: 'one-for-all',
    COMPOSE_ENV_FILES: '/one-for-all.env',
    DOCKER_CONTEXT: 'other',
    DOCKER_HOST: 'unix:///other.sock',
    NODE_OPTIONS: '--inspect',
    SSH_AUTH_SOCK: '/agent',
    API_TOKEN: 'canary',
    PATHS: 'no',
    UNSET: undefined,
  };
  expect(childEnvironment(source, 'unix:///ours.sock')).toEqual({
    PATH: '/bin',
    HOME: '/root',
    LC_ALL: 'C',
    XDG_RUNTIME_DIR: '/run/user/0',
    https_proxy: 'http://proxy:1',
    COMPOSE_HTTP_TIMEOUT: '9',
    BUILDKIT_PROGRESS: 'plain',
    DOCKER_CONFIG: '/d',
    CONTAINER_HOST: 'unix:///ours.sock',
    DOCKER_HOST: 'unix:///ours.sock',
    ...WITHOUT_GIT,
  });
});

it('names a project of compose only for the run that is about it', () => {
  const env = childEnvironment({ COMPOSE_PROJECT_NAME: 'one-for-all' }, undefined);
  expect(withProjectName(env, undefined)).toEqual(WITHOUT_GIT);
  expect(withProjectName(env, 'mine')).toEqual({ ...WITHOUT_GIT, COMPOSE_PROJECT_NAME: 'mine' });
});

it('tells which variables a run may have, whatever files say', () => {
  const names = ['COMPOSE_PROJECT_NAME', 'HOME', 'COMPOSE_HTTP_TIMEOUT', 'COMPOSE_FILE', 'API_TOKEN', 'SSH_AUTH_SOCK'];
  expect(names.filter((name) => mayBeInEnvironment(name))).toEqual([
    'COMPOSE_PROJECT_NAME',
    'HOME',
    'COMPOSE_HTTP_TIMEOUT',
    'SSH_AUTH_SOCK',
  ]);
});

it('gives no engine address when there is none, and the SSH agent only to an engine behind SSH', () => {
  const source = { SSH_AUTH_SOCK: '/agent', DOCKER_HOST: 'unix:///other.sock' };
  expect(childEnvironment(source, undefined)).toEqual(WITHOUT_GIT);
  expect(childEnvironment(source, 'ssh://me@host')).toEqual({
    CONTAINER_HOST: 'ssh://me@host',
    DOCKER_HOST: 'ssh://me@host',
    SSH_AUTH_SOCK: '/agent',
    ...WITHOUT_GIT,
  });
});

it('keeps buildx and compose from running git, whatever ours says', () => {
  const source = { BUILDX_GIT_INFO: '1', BUILDX_GIT_LABELS: 'full', COMPOSE_EXPERIMENTAL_GIT_REMOTE: '1' };
  expect(childEnvironment(source, undefined)).toEqual(WITHOUT_GIT);
});

it.each([
  ['the value of a token', { MY_TOKEN: 's3cret' }, 'x s3cret y s3cret', 'x [redacted] y [redacted]'],
  ['the longer of two first', { A_KEY: 'abcd', B_KEY: 'abcdef' }, 'abcdef', '[redacted]'],
  [
    'the password in a proxy',
    { HTTPS_PROXY: 'http://me:p%40ss@proxy:1' },
    'p%40ss p@ss me',
    '[redacted] [redacted] me',
  ],
  ['each line of a key', { SSH_KEY: 'first-line\nsecond-line' }, 'second-line', '[redacted]'],
  ['nothing of an ordinary name', { HOME: '/root' }, '/root', '/root'],
  ['nothing for a value that is hardly one', { DEBUG_KEY: '1' }, 'exit 1', 'exit 1'],
  ['a name in any case', { npm_config_password: 'hunter2' }, 'hunter2', '[redacted]'],
])('redacts %s', (_, env, text, redacted) => {
  expect(createRedact(env as Record<string, string>)(text)).toBe(redacted);
});
