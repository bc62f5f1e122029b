import { setFlagsFromString } from 'node:v8';
import { AgentContainersError } from '../../errors.ts';
import type { Output } from '../output/output.ts';
import type { ServeFlags } from '../serve-options.ts';
import { createDaemonLog } from '../serve/log.ts';
import { type DaemonReport, startDaemon } from '../serve/daemon.ts';
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
  const realRoots = await Promise.all((roots.length > 0 ? roots : ['.']).map(realRoot));
  await prepareStateDirectory(directory);
  const lock = await acquireInstanceLock(directory.lock);
  const background = flags.background === true;
  try {
    const log = await createDaemonLog({
      level: flags.logLevel,
      file: flags.logFile,
      json: flags.logJson === true,
      stderr: !background,
    });
    try {
      const daemon = await startDaemon({ flags, roots: realRoots, directory, logger: log.logger });
      log.logger.info({ ...daemon.report, link: undefined }, 'The daemon has started');
      output.result({ daemon: daemon.report });
      printReport(output, daemon.report);
      return await shutdownOnSignal({
        graceMs: GRACE_MS,
        close: () => daemon.close(),
        say: (message) => log.logger.warn({}, message),
        exit: (code) => process.exit(code),
      });
    } finally {
      await log.close();
    }
  } finally {
    await lock.release();
  }
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
