// In the order of their numbers, from 1, as on Linux for amd64 and arm64: in containers, whatever machine we run on.
const NAMES =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS';
const NUMBERS = new Map(NAMES.split(' ').map((name, index) => [name, index + 1]));
const REAL_TIME = /^(3[2-9]|[45]\d|6[0-4])$/;

/** 128 + n, as a shell tells of a signal such as `SIGTERM`, or `SIG35` for one without a name; `undefined` for none. */
export function signalCode(signal: string): number | undefined {
  const name = signal.startsWith('SIG') ? signal.slice(3) : '';
  const number = NUMBERS.get(name) ?? (REAL_TIME.test(name) ? Number(name) : undefined);
  return number === undefined ? undefined : 128 + number;
}
