import pc from 'picocolors';
import { AgentContainersError } from '../../errors.ts';
import type { WireDevcontainer, WireFinding, WireOperation } from '../../http/wire-schemas.ts';
import { answerError } from '../client/answer-error.ts';
import type { ClientRequest, DaemonClient } from '../client/client.ts';
import { createOutput } from '../output/output.ts';
import type { CommandContext } from './context.ts';

// Support of the tests in this folder; not published.

/** What the daemon answers: a body with status 200, or a refusal. A function is asked each time. */
type Answer = unknown;

export class Refusal {
  readonly status: number;
  readonly body: object;

  constructor(status: number, body: object) {
    this.status = status;
    this.body = body;
  }
}

export interface TestContext extends CommandContext {
  readonly requests: ClientRequest[];
  readonly questions: string[];
  stdout(): string;
  stderr(): string;
}

/** A context whose daemon answers by `METHOD /path`; any other request fails with its name. */
export function testContext(
  answers: Readonly<Record<string, Answer>>,
  { json = false, reply }: { readonly json?: boolean; readonly reply?: boolean } = {},
): TestContext {
  const requests: ClientRequest[] = [];
  const questions: string[] = [];
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') =>
    ({ write: (text: string) => ((written[name] += text), true) }) as unknown as NodeJS.WriteStream;
  const find = (request: ClientRequest): unknown => {
    requests.push(request);
    const key = `${request.method} ${request.path}`;
    if (!(key in answers)) throw new Error(`unscripted request: ${key}`);
    const answer = answers[key];
    const value: unknown = typeof answer === 'function' ? (answer as (r: ClientRequest) => unknown)(request) : answer;
    if (value instanceof Refusal) throw answerError(value.status, value.body);
    if (value instanceof AgentContainersError) throw value;
    return value;
  };
  const client: DaemonClient = {
    socket: '/run/test.sock',
    send: async (request) => ({ status: 200, body: find(request) }),
    // Streams are answered with their text.
    stream: async (request) => [Buffer.from(String(find(request)))] as never,
    answers: async () => true,
  };
  const output = createOutput({ json }, stream('stdout'), stream('stderr'));
  return {
    output: { ...output, colors: pc.createColors(false), errorColors: pc.createColors(false) },
    client,
    directory: {} as CommandContext['directory'],
    confirm:
      reply === undefined
        ? undefined
        : async (question) => {
            questions.push(question);
            return reply;
          },
    requests,
    questions,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
  };
}

export const LOG = '/devcontainers/dc-1/logs?offset=7';

export function wireEntry(part: Partial<WireDevcontainer> = {}): WireDevcontainer {
  return {
    id: 'dc-1',
    name: 'app',
    workspace_folder: '/src/app',
    config_path: '/src/app/.devcontainer.json',
    subagent_id: null,
    status: 'running',
    dirty: false,
    level: 'adopted',
    trusted: true,
    busy: false,
    ...part,
  };
}

export function wireOperation(part: Partial<WireOperation> = {}): WireOperation {
  return {
    id: 'op-1',
    devcontainer_id: 'dc-1',
    kind: 'recreate',
    status: 'succeeded',
    phase: 'create',
    started_at: '2025-01-31T12:00:00.000Z',
    log_offset: 7,
    steps: [],
    ...part,
  };
}

export const RECEIPT = { message: 'Devcontainer recreation initiated', operation_id: 'op-1', devcontainer_id: 'dc-1' };

const source = '.devcontainer.json';
export const FINDINGS: WireFinding[] = [
  { kind: 'initialize-command', detail: 'make deps', source },
  { kind: 'mount', detail: '/var/run/docker.sock', source },
];
export const HASH = 'a1'.repeat(32);
export const UNTRUSTED = {
  trusted: false,
  verdict: { hash: HASH, finding_count: FINDINGS.length, findings: FINDINGS },
} satisfies Partial<WireDevcontainer>;

/** Log chunks as server-sent events. */
export function logEvents(...chunks: readonly { offset: number; text: string }[]): string {
  return [...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'event: end\ndata: {}\n\n'].join('');
}
