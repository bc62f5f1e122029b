import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WireDevcontainer } from '../../src/http/wire-schemas.ts';
import { engineApi } from './engine-api.ts';
import { isResidentBuilt } from './resident-support.ts';
import { processesIn } from './support/container-processes.ts';
import {
  API,
  JSON_TYPE,
  buildDaemon,
  isInjected,
  startDaemon,
  type DaemonBuild,
  type DaemonProcess,
} from './support/daemon.ts';
import { eventsSince } from './support/engine-features.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { writeConfig } from './support/library.ts';

// Secrets that can be told from everything else, and every place in which one could come out.

const secret = (name: string): string => `canary-${name}-${randomBytes(16).toString('hex')}`;
const SUB_AGENT_TOKEN = secret('sub-agent-token');
const CONTROL_PLANE_TOKEN = secret('control-plane-token');
const ENVIRONMENT = secret('environment');

const engine = testEngine();
const api = engineApi();
let build: DaemonBuild;
let daemon: DaemonProcess | undefined;
let controlPlane: Server;
/** What the control plane was shown and has given out. */
const seen = { authorizations: new Set<string>(), registered: 0 };

/** A remote control plane as docs/design/control-plane.md has it, with a token that we know. */
async function startControlPlane(): Promise<string> {
  controlPlane = createServer((req, res) => {
    seen.authorizations.add(req.headers.authorization ?? '');
    const answer = (status: number, body?: object): void => {
      res.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body));
    };
    if (req.method === 'GET') return answer(200, { sub_agents: [] });
    if (req.method === 'DELETE') return answer(204);
    let text = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    req.on('end', () => {
      seen.registered++;
      answer(201, { sub_agent: { ...(JSON.parse(text) as object), id: randomUUID() }, token: SUB_AGENT_TOKEN });
    });
  });
  await new Promise<void>((resolve) => controlPlane.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(controlPlane.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  build = await buildDaemon();
});
afterAll(async () => {
  await daemon?.end('SIGTERM');
  controlPlane?.close();
  await engine.cleanup();
  await build?.remove();
});

/** Command lines of everything that runs on this machine, read again and again until `end`. */
function watchCommandLines(): { end(): Promise<ReadonlySet<string>> } {
  const lines = new Set<string>();
  let over = false;
  const watching = (async () => {
    while (!over) {
      for (const pid of await readdir('/proc')) {
        if (!/^\d+$/.test(pid)) continue;
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        lines.add(line.replaceAll('\0', ' '));
      }
    }
  })();
  return {
    async end() {
      over = true;
      await watching;
      return lines;
    },
  };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

it('the token of a sub-agent and what the daemon has in its environment come out nowhere', async () => {
  const root = dirname(await engine.makeFolder('root'));
  const stateDir = join(root, 'state');
  const logFile = join(root, 'daemon.log');
  const folder = await engine.makeFolder();
  // Projects are told by it.
  await mkdir(join(folder, '.git'));
  await writeConfig(folder, {
    image: 'agentcontainers-base:1',
    init: true,
    workspaceMount: `source=${folder},target=/workspace,type=bind`,
    workspaceFolder: '/workspace',
    containerEnv: { LEAK_AT_CREATE: '${localEnv:CANARY}', CONTROL: '${localEnv:HOME}' },
    remoteEnv: { LEAK_AT_EXEC: '${localEnv:CANARY}' },
    initializeCommand: `env > ${folder}/environment-of-initialize`,
    postCreateCommand: 'env > /workspace/environment-of-hook',
  });
  const since = await engine.docker('info', '--format', '{{.SystemTime}}');
  const url = await startControlPlane();
  const commandLines = watchCommandLines();
  daemon = await startDaemon({
    main: build.main,
    dockerHost: engine.dockerHost,
    stateDir,
    args: [
      ...['--log-level', 'debug', '--log-file', logFile, '--debug-address', '127.0.0.1:0'],
      '--sub-agent-url',
      url,
      '--discovery',
      root,
    ],
    env: { CANARY: ENVIRONMENT, AGENTCONTAINERS_SUB_AGENT_TOKEN: CONTROL_PLANE_TOKEN },
  });
  // A command for the host, and the environment of the daemon: nothing is made before a person has accepted that.
  const found = await eventually('the folder to be found', async () => {
    const listed = await daemon?.get<{ devcontainers: WireDevcontainer[] }>(API);
    return listed?.devcontainers.find(({ workspace_folder: at, verdict }) => at === folder && verdict);
  });
  const body = JSON.stringify({ hash: found.verdict?.hash });
  const trusting = { method: 'POST', headers: JSON_TYPE, body };
  expect(await daemon.ask(`${API}/devcontainers/${found.id}/trust`, trusting)).toMatchObject({ status: 204 });
  const { devcontainer_id: id, operation_id: operationId } = await daemon.create(folder);
  await daemon.ended(operationId);
  const up = await daemon.until(id, 'running with its sub-agent', isInjected);
  const container = up.container?.id ?? '';
  // Once more, with a new container in the place of one that there is.
  const again = await daemon.ask(`${API}/devcontainers/${id}/recreate`, { method: 'POST' });
  await daemon.ended((again.json as { operation_id: string }).operation_id);
  const { container: second } = await daemon.until(
    id,
    'the new container',
    (one) => isInjected(one) && one.container?.id !== container,
  );
  const containerId = second?.id ?? '';
  const processes = await processesIn(engine, containerId);

  const inspected = await engine.docker('inspect', containerId);
  const { ExecIDs } = (await api('GET', `/containers/${containerId}/json`)) as { ExecIDs: string[] | null };
  const execs = await Promise.all((ExecIDs ?? []).map((exec) => api('GET', `/exec/${exec}/json`)));
  const events = await eventsSince(engine.docker, since);
  const environments = await Promise.all(
    processes.map(async ({ pid }) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')),
  );
  const pages = await Promise.all(
    [API, `${API}/devcontainers/${id}`, `${API}/devcontainers/${id}/logs`].map(
      async (path) => (await daemon?.ask(path))?.text,
    ),
  );
  const accessToken = (await readFile(join(stateDir, 'token'), 'utf8')).trim();
  const debugPage = await (
    await fetch(daemon.debugUrl, { headers: { authorization: `Bearer ${accessToken}` } })
  ).text();
  await daemon.end('SIGTERM');
  const lines = [...(await commandLines.end())].join('\n');
  const files = (await filesBelow(root)).filter((path) => path !== join(stateDir, 'token'));
  const contents = await Promise.all(files.map(async (path) => `${path}\n${await readFile(path, 'utf8')}`));

  // The secrets were in use, and the places hold what they must, so that nothing in them means something.
  expect(seen.registered).toBeGreaterThanOrEqual(1);
  expect([...seen.authorizations]).toEqual([`Bearer ${CONTROL_PLANE_TOKEN}`]);
  expect(accessToken.length).toBeGreaterThanOrEqual(43);
  expect(inspected).toContain('LEAK_AT_CREATE=');
  expect(inspected).toMatch(/"CONTROL=\/[^"]+"/);
  expect(execs.length).toBeGreaterThan(0);
  expect(JSON.stringify(execs)).toContain('agent');
  expect(events).toMatch(/"Action":"exec[_"]/);
  expect(environments.join('\n')).toContain('PATH=');
  expect(lines).toContain(isResidentBuilt ? 'resident agent' : 'supervise agentcontainers-sub-agent');
  expect(lines).toMatch(/devcontainer.* up /);
  expect(files).toEqual(
    expect.arrayContaining([logFile, join(folder, 'environment-of-initialize'), join(folder, 'environment-of-hook')]),
  );
  expect(contents.join('\n')).toContain(containerId);

  const places: Record<string, string> = {
    'container inspection': inspected,
    'exec inspection': JSON.stringify(execs),
    'engine events': events,
    'command lines on the host': lines,
    'environments in the container': environments.join('\n'),
    'files of the daemon and the workspace': contents.join('\n'),
    'what the daemon printed': daemon.output(),
    'answers of the API': pages.join('\n'),
    'the debug page': debugPage,
  };
  for (const [place, text] of Object.entries(places)) {
    for (const [name, value] of Object.entries({ SUB_AGENT_TOKEN, CONTROL_PLANE_TOKEN, ENVIRONMENT, accessToken })) {
      expect(text.includes(value), `${name} in ${place}`).toBe(false);
    }
  }
});
