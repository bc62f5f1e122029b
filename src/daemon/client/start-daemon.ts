import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AgentContainersError, ERROR_FAMILIES, errorMessage, type ErrorCode } from '../../errors.ts';
import type { CommandContext } from '../commands/context.ts';
import { plainText } from '../output/plain-text.ts';
import { createProgress } from '../output/progress.ts';
import { prepareStateDirectory } from '../state/state-directory.ts';

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

/**
 * Starts a daemon in the background whose root is `root`, and waits until it answers. It outlives the command; further
 * folders are adopted when they are brought up. It prints one JSON line, what it serves or why it does not, into a file
 * of its own, so nothing is lost when the terminal goes.
 */
export async function startDaemon({ client, directory, output }: CommandContext, root: string): Promise<void> {
  await prepareStateDirectory(directory);
  const program = fileURLToPath(new URL('../main.js', import.meta.url));
  const args = ['serve', root, '--background', '--json', '--state-dir', directory.path, '--socket', directory.socket];
  if (process.env['AGENTCONTAINERS_LOG_FILE'] === undefined) args.push('--log-file', directory.daemonLog);

  output.note(
    `No daemon is running: starting one for ${plainText(root)}. Its log is ${process.env['AGENTCONTAINERS_LOG_FILE'] ?? directory.daemonLog}`,
  );
  const progress = createProgress(output, 'daemon');
  progress.phase('start');
  const printed = await open(directory.daemonOutput, 'w', 0o600).catch((error: unknown) => {
    progress.end();
    throw new AgentContainersError(
      'state-unreadable',
      `Starting the daemon failed: ${errorMessage(error)}. Make room or correct its rights, or give another --state-dir.`,
      { cause: error },
    );
  });
  let exitCode: number | null | undefined;
  try {
    const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
      detached: true,
      stdio: ['ignore', printed.fd, printed.fd],
    });
    child.once('exit', (code) => (exitCode = code));
    child.once('error', () => (exitCode = null));
    child.unref();

    const until = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const line = await firstReport(directory.daemonOutput);
      if (line?.error !== undefined) throw reported(line.error);
      if (line?.daemon !== undefined && (await client.answers())) {
        progress.end();
        output.note(`Daemon started (process ${line.daemon.pid}). Stop it with \`kill ${line.daemon.pid}\`.`);
        if (line.daemon.link !== undefined) output.note(`Open ${line.daemon.link} (valid once).`);
        return;
      }
      if (exitCode !== undefined || Date.now() > until) break;
      await delay(POLL_MS);
    }
  } finally {
    progress.end();
    await printed.close();
  }
  const why =
    exitCode === undefined ? 'it did not answer within 30 s' : `it ended with status ${exitCode ?? 'unknown'}`;
  throw new AgentContainersError('daemon-unreachable', `Starting the daemon failed: ${why}.`, {
    details: {
      detail: `Look at ${directory.daemonOutput} and its log, or run \`agentcontainers serve\` to see it start.`,
    },
  });
}

interface Report {
  readonly daemon?: { readonly pid: number; readonly link?: string };
  readonly error?: { readonly code?: string; readonly message: string; readonly detail?: string };
}

/** The first whole line that is a JSON object; anything that node itself printed before is skipped. */
async function firstReport(file: string): Promise<Report | undefined> {
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  for (const line of lines) {
    if (!line.startsWith('{')) continue;
    try {
      return JSON.parse(line) as Report;
    } catch {
      continue;
    }
  }
  return undefined;
}

function reported(error: NonNullable<Report['error']>): AgentContainersError {
  const code =
    error.code !== undefined && Object.hasOwn(ERROR_FAMILIES, error.code)
      ? (error.code as ErrorCode)
      : 'daemon-unreachable';
  return new AgentContainersError(code, error.message, { details: { detail: error.detail } });
}
