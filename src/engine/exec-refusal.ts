/** What is known when a command has ended. */
export interface EndedExec {
  readonly exitCode: number;
  /** False when the engine never had a process for it; `undefined` when the engine does not tell. */
  readonly hadProcess: boolean | undefined;
}

/** Why a command could not be started. */
export interface ExecRefusal {
  /** 127 when there is no such program, else 126. Engines do not agree on the two. */
  readonly exitCode: number;
  readonly reason: string;
}

/**
 * Docker ends a command that it cannot start with 126 or 127 and gives its reason, a line as for a terminal, as the whole
 * standard output.
 */
export function refusalOnStdout(
  { exitCode, hadProcess }: EndedExec,
  { text, isAll }: { readonly text: string; readonly isAll: boolean },
): ExecRefusal | undefined {
  if (hadProcess !== false || (exitCode !== 126 && exitCode !== 127) || !isAll || !text.endsWith('\r\n'))
    return undefined;
  return { exitCode, reason: plainReason(text) };
}

const REFUSAL_BEGINNING = 'Error: ';
/** The longest reason names the longest program that is let through. */
const MAX_REFUSAL_BYTES = 16 * 1024;

/** Podman gives its reason at the beginning of standard error, of which `head` is the first piece or more. */
export function couldBeRefusal(head: Buffer): boolean {
  const text = head.toString('latin1', 0, REFUSAL_BEGINNING.length);
  return head.length <= MAX_REFUSAL_BYTES && REFUSAL_BEGINNING.startsWith(text);
}

/**
 * Podman ends a command that it cannot start with 125, 126 or 127. Its reason, `Error: <runtime>: <reason>: OCI <kind of
 * error>`, and a line on its lost connection are the whole output. It says of no ended command whether it had a process.
 */
export function refusalOnStderr(ended: EndedExec, stderr: Buffer): ExecRefusal | undefined {
  const { exitCode, hadProcess } = ended;
  if (hadProcess !== undefined || exitCode < 125 || exitCode > 127) return undefined;
  const [, reason] =
    /^Error: (?:[\w-]+: )?(.*): OCI [^\n]*\n$/s.exec(withoutNoise(ended, stderr).toString('utf8')) ?? [];
  return reason === undefined ? undefined : { exitCode: exitCode === 127 ? 127 : 126, reason: plainReason(reason) };
}

/** Podman says this at the end of standard error, in a piece of its own, when a command left input unread. */
const LOST_CONNECTION = /Error: read unixpacket @->\S+\/attach: read: connection reset by peer\n$/;

export function couldBeNoise(piece: Buffer): boolean {
  return piece.length <= MAX_REFUSAL_BYTES && LOST_CONNECTION.test(piece.toString('latin1'));
}

/** The end of standard error without what the engine added to it. */
export function withoutNoise({ hadProcess }: EndedExec, stderr: Buffer): Buffer {
  const noise = hadProcess === undefined ? LOST_CONNECTION.exec(stderr.toString('latin1')) : null;
  return noise ? stderr.subarray(0, noise.index) : stderr;
}

function plainReason(text: string): string {
  return text
    .trim()
    .replace(/^OCI runtime exec failed: /i, '')
    .replace(/^exec failed: /, '')
    .replace(/^unable to start container process: /, '')
    .replace(/: unknown$/, '');
}
