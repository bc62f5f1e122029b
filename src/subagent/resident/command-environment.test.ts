import { expect, test } from 'vitest';
import { commandEnvironment } from './command-environment.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

test.each([
  ['nothing is set', { env: [] }, {}, { PATH }],
  ['only its host name is known', { env: [], hostname: 'box' }, {}, { PATH, HOSTNAME: 'box' }],
  [
    'the container sets both',
    { env: ['PATH=/bin', 'HOSTNAME=own'], hostname: 'box' },
    {},
    { PATH: '/bin', HOSTNAME: 'own' },
  ],
  ['the container sets an empty one', { env: ['PATH='] }, {}, { PATH: '' }],
  [
    'what is given says otherwise',
    { env: ['PATH=/bin', 'A=1'] },
    { PATH: '/x', B: '=2' },
    { PATH: '/x', A: '1', B: '=2' },
  ],
  ['the container has our token', { env: ['AGENTCONTAINERS_TOKEN=x', '=y', 'none'] }, {}, { PATH }],
])('commands have what an exec of the engine has: %s', (_what, container, given, environment) => {
  expect(commandEnvironment(container, given)).toEqual(environment);
});
