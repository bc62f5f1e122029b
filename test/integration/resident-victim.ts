/**
 * The library with a state directory, in a process of its own, for tests that kill it while a good deal is under way in one
 * container. Prints lines of JSON.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createStateStorage } from '../../src/daemon/state/state-storage.ts';
import { stateDirectoryAt } from '../../src/daemon/state/state-directory.ts';
import { createAgentContainers, createSubAgentRegistry, silentLogger } from '../../src/index.ts';
import { residentSubAgentProvider } from '../../src/subagent/provider.ts';
import { RESIDENT_DIRECTORY } from './resident-support.ts';

const { TEST_DOCKER_HOST, TEST_ROOT, TEST_FOLDER, TEST_STATE, TEST_SECRET, TEST_COMMANDS = '[]' } = process.env;
if (!TEST_DOCKER_HOST || !TEST_ROOT || !TEST_FOLDER || !TEST_STATE || !TEST_SECRET) throw new Error('TEST_… is needed');

let count = 0;
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const api = createAgentContainers({
  dockerHost: TEST_DOCKER_HOST,
  adopt: 'roots',
  roots: [TEST_ROOT],
  subAgentClient: createSubAgentRegistry({ newId: () => `record-${++count}` }),
  subAgentProvider: residentSubAgentProvider({ directory: RESIDENT_DIRECTORY }),
  storage: createStateStorage(stateDirectoryAt(TEST_STATE), silentLogger),
  labelSecret: TEST_SECRET,
  logger: silentLogger,
  injectTimeoutMs: 60_000,
});
await api.start();

/** Its id, as soon as its sub-agent runs. */
async function injected(): Promise<string> {
  for (let round = 0; round < 1_200; round++) {
    const { devcontainers } = await api.list();
    const found = devcontainers.find(({ workspaceFolder }) => workspaceFolder === TEST_FOLDER);
    if (found?.agent?.status === 'running') return found.id;
    await delay(50);
  }
  throw new Error('The sub-agent did not come up.');
}

const id = await injected();
const runtime = api.devcontainer(id);
const commands = JSON.parse(TEST_COMMANDS) as Record<string, object>;
const started: Record<string, object> = {};
for (const [name, spec] of Object.entries(commands)) {
  const { id: process, pid } = await runtime.spawn(spec);
  started[name] = { id: process, pid };
}
const exec = await runtime.exec({
  command: 'i=0; while [ $i -lt 600 ]; do echo "line $i"; i=$((i+1)); usleep 10000; done; exit 8',
});
const forward = await runtime.forward({ port: 4711 });
print({ event: 'ready', id, started, exec: { id: exec.process.id, pid: exec.process.pid }, forward });

/** Tells what one view of a process shows. */
async function view(name: string, keys: string): Promise<void> {
  const process = started[name] as { readonly id: string } | undefined;
  if (!process) return;
  const attached = await runtime.attach(process.id);
  await attached.write(keys);
  for await (const { bytes } of attached.output) {
    print({ event: 'screen', name, bytes: Buffer.from(bytes).toString('base64') });
  }
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (let piece = 0; ; piece++) {
    yield Buffer.alloc(32_768, `${piece} `);
    if (piece % 10 === 9) print({ event: 'uploaded', pieces: piece + 1 });
    await delay(5);
  }
}

void view('editor', 'ihello');
void view('top', '');
void (async () => {
  let bytes = 0;
  for await (const chunk of exec.output) print({ event: 'read', bytes: (bytes += chunk.bytes.length) });
})();
void runtime.files.write('/uploads/file', endless()).catch((error: unknown) => print({ event: 'error', error }));
