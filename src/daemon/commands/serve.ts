import { setFlagsFromString } from 'node:v8';
import { AgentContainersError, cancelled, errorMessage, isAgentContainersError } from '../../errors.ts';
import { onBrokenOutput } from '../output/broken-output.ts';
import type { Output } from '../output/output.ts';
import type { ServeFlags } from '../serve-options.ts';
import { createDaemonLog } from '../serve/log.ts';
import { type Daemon, type DaemonReport, startDaemon } from '../serve/daemon.ts';
import { shutdownOnSignal } from '../serve/signals.ts';
import { acquireInstanceLock } from '../state/instance-lock.ts';
import { defaultStateDirectory, prepareStateDirectory } from '../state/state-directory.ts';
import { type CommandContext, realFolder } from './context.ts';

const GRACE_MS = 10_000;

/** Runs the daemon until a signal ends it. */
export async function serve(
  { output, directory }: CommandContext,
  flags: ServeFlags,
  roots: readonly string[],
): Promise<number> {
  // A burst of work makes the heap for young objects grow to 48 MB, and a process that is idle afterwards keeps it.
  setFlagsFromString('--semi-space-growth-factor=1');
  // Whoever read what it says may leave.
  onBrokenOutput('go on');
  const realRoots = await Promise.all((roots.length > 0 ? roots : ['.']).map(realRoot));
  await prepareStateDirectory(directory);

  const stop = new AbortController();
  let say = (message: string): void => output.note(message);
  let starting: Promise<Daemon> | undefined;
  // Before anything is begun that has to be ended.
  const ended = shutdownOnSignal({
    graceMs: GRACE_MS,
    close: async () => {
      stop.abort(cancelled('closing'));
      const daemon = await starting?.catch(() => undefined);
      await daemon?.close();
    },
    say: (message) => say(message),
    exit: (code) => process.exit(code),
  });
  const lock = await acquireInstanceLock(directory.lock);
  try {
    const log = await createDaemonLog({
      level: flags.logLevel,
      file: flags.logFile,
      json: flags.logJson === true,
      stderr: flags.background !== true,
    });
    say = (message) => log.logger.warn({}, message);
    try {
      starting = startDaemon({ flags, roots: realRoots, directory, logger: log.logger, signal: stop.signal });
      const { report } = await starting;
      log.logger.info({ ...report, link: undefined }, 'The daemon has started');
      output.result({ daemon: report });
      printReport(output, report);
      return await ended;
    } catch (error) {
      if (stop.signal.aborted) return await ended;
      throw isAgentContainersError(error) ? error : startFailure(error);
    } finally {
      await log.close();
    }
  } finally {
    await lock.release();
  }
}

/** What nothing on the way has put into words. */
function startFailure(error: unknown): AgentContainersError {
  return new AgentContainersError('daemon-unreachable', `Starting the daemon failed: ${errorMessage(error)}.`, {
    cause: error,
    details: { detail: 'Put that right and start it again; `agentcontainers doctor` checks engine, disk and rights.' },
  });
}

async function realRoot(root: string): Promise<string> {
  const real = await realFolder(root);
  if (real !== undefined) return real;
  throw new AgentContainersError(
    'folder-not-found',
    `Starting the daemon failed: the root ${root} is no folder. Give folders that exist.`,
  );
}

function printReport(output: Output, report: DaemonReport): void {
  const { bold, dim } = output.colors;
  const field = (name: string, value: string): void => output.line(`${dim(name.padEnd(8))} ${value}`);
  const { engine } = report;
  output.line(bold(`agentcontainers ${report.version}`));
  field('engine', `${engine.name} ${engine.version}, API ${engine.apiVersion}, at ${engine.address}`);
  field('roots', `${report.roots.join(', ')} (adopt: ${report.adopt})`);
  field('state', report.state_dir);
  field('socket', report.socket);
  if (report.link !== undefined) field('open', `${report.link} (valid once, for an hour)`);
  if (report.url !== undefined)
    field('api', `${report.url}/devcontainers with the bearer token in ${report.state_dir}/token`);
  if (report.metrics !== undefined) field('metrics', report.metrics);
  if (report.debug !== undefined) field('debug', report.debug);
  const where = report.state_dir === defaultStateDirectory() ? '' : ` --state-dir ${report.state_dir}`;
  field('list', `agentcontainers list${where}`);
  field('up', `agentcontainers up${where} <folder>`);
}
