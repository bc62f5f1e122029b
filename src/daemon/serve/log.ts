import { chmod } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { pino, type StreamEntry } from 'pino';
import { createStream } from 'rotating-file-stream';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { wantsColor } from '../output/output.ts';
import type { LogLevel } from '../serve-options.ts';

/** The file in use and nine older ones, named `<file>.1` to `<file>.9`. */
const OLDER_FILES = 9;

export interface DaemonLogOptions {
  readonly level: LogLevel;
  readonly file?: string | undefined;
  /** JSON on stderr instead of text. */
  readonly json: boolean;
  /** False: nothing on stderr, for a daemon in the background. */
  readonly stderr: boolean;
}

export interface DaemonLog {
  readonly logger: Logger;
  /** Resolves when everything logged before is written. */
  close(): Promise<void>;
}

/** The daemon's own log: text or JSON on stderr, and JSON in a rotated file (0600) if one is asked for. */
export async function createDaemonLog(options: DaemonLogOptions): Promise<DaemonLog> {
  const streams: StreamEntry[] = [];
  if (options.stderr) streams.push({ level: options.level, stream: await terminalStream(options.json) });
  const file = options.file === undefined ? undefined : await openLogFile(resolve(options.file));
  if (file !== undefined) streams.push({ level: options.level, stream: file });
  const logger = pino(
    {
      level: options.level,
      base: null,
      redact: {
        paths: ['token', '*.token', 'authorization', '*.authorization', 'cookie', '*.cookie'],
        censor: '[redacted]',
      },
    },
    pino.multistream(streams),
  );
  return {
    logger,
    close: () =>
      new Promise((done) => {
        if (file === undefined) done();
        else file.end(done);
      }),
  };
}

async function terminalStream(json: boolean): Promise<StreamEntry['stream']> {
  if (json) return process.stderr;
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    destination: process.stderr,
    colorize: wantsColor(process.stderr),
    translateTime: 'HH:MM:ss',
    singleLine: true,
  });
}

async function openLogFile(path: string): Promise<ReturnType<typeof createStream>> {
  // A file that was there before keeps its mode otherwise.
  await chmod(path, 0o600).catch(() => undefined);
  const stream = createStream(basename(path), { path: dirname(path), size: '5M', rotate: OLDER_FILES, mode: 0o600 });
  try {
    await new Promise<void>((opened, refused) => {
      stream.once('open', () => opened());
      stream.once('error', refused);
    });
  } catch (error) {
    throw new AgentContainersError(
      'invalid-request',
      `Opening the log ${path} failed: ${errorMessage(error)}. Give another --log-file.`,
      {
        cause: error,
      },
    );
  }
  let said = false;
  const complain = (error: Error): void => {
    if (!said) process.stderr.write(`Writing the log ${path} failed: ${errorMessage(error)}\n`);
    said = true;
  };
  stream.on('error', complain);
  stream.on('warning', complain);
  return stream;
}
