import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { AgentContainersError, errorMessage } from '../../errors.ts';

/** Where everything of one daemon lies. Only the directory itself is guaranteed to exist. */
export interface StateDirectory {
  readonly path: string;
  /** Snapshot of the library's state. */
  readonly state: string;
  /** What fingerprints stand for, a file each. */
  readonly contents: string;
  /** Signs the labels of containers that we make. */
  readonly labelKey: string;
  /** Executables of sub-agents; mounted read-only into containers that we make. */
  readonly subAgents: string;
  /** One log a devcontainer. */
  readonly logs: string;
  /** Bearer token of the TCP listener. */
  readonly token: string;
  readonly socket: string;
  /** Who owns the directory now. */
  readonly lock: string;
  /** Log of a daemon that a command started in the background. */
  readonly daemonLog: string;
  /** What such a daemon printed before its log was open. */
  readonly daemonOutput: string;
  /** What a running daemon works with; see `engineInUse`. */
  readonly daemonNote: string;
}

/** Longest path of a Unix socket that every supported system takes (macOS: 104 bytes with the final zero). */
const MAX_SOCKET_PATH = 103;

/** `$XDG_STATE_HOME/agentcontainers`, or `~/.local/state/agentcontainers`. A relative XDG_STATE_HOME is ignored, as its specification says. */
export function defaultStateDirectory(env: NodeJS.ProcessEnv = process.env, home: string = homedir()): string {
  const xdg = env['XDG_STATE_HOME'];
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, '.local', 'state');
  return join(base, 'agentcontainers');
}

/** The paths inside a state directory; touches nothing. */
export function stateDirectoryAt(path: string, socket?: string): StateDirectory {
  const root = resolve(path);
  return {
    path: root,
    state: join(root, 'state.json'),
    contents: join(root, 'contents'),
    labelKey: join(root, 'label-key'),
    subAgents: join(root, 'sub-agents'),
    logs: join(root, 'logs'),
    token: join(root, 'token'),
    socket: socket === undefined ? join(root, 'daemon.sock') : resolve(socket),
    lock: join(root, 'lock'),
    daemonLog: join(root, 'daemon.log'),
    daemonOutput: join(root, 'daemon.out'),
    daemonNote: join(root, 'daemon.json'),
  };
}

/**
 * Makes the directory (0700), or takes one that is this user's alone, or empty. Refuses one that belongs to another user
 * or can be changed by others, who could exchange the token and the socket, and one in which others may read what is
 * there: it has another use, so its rights are not ours to take away.
 */
export async function prepareStateDirectory(directory: StateDirectory): Promise<void> {
  if (Buffer.byteLength(directory.socket) > MAX_SOCKET_PATH) {
    throw new AgentContainersError(
      'invalid-request',
      `Using the socket ${directory.socket} failed: its path has more than ${MAX_SOCKET_PATH} bytes. Give a shorter one with --socket.`,
    );
  }
  try {
    const made = await mkdir(directory.path, { recursive: true, mode: 0o700 });
    if (made === undefined) await claimExisting(directory.path);
    await mkdir(directory.logs, { recursive: true, mode: 0o700 });
    // Containers of an earlier one, whose state was removed, mount it: without it no engine starts them.
    await mkdir(directory.subAgents, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new AgentContainersError(
      'state-unreadable',
      `Preparing the state directory ${directory.path} failed: ${errorMessage(error)}. Give another one with --state-dir.`,
      { cause: error },
    );
  }
}

const OTHERS = 0o077;
/** Everybody may write, or the sticky bit says that many do: a place like /tmp, also when it is empty now. */
const SHARED = 0o1002;

async function claimExisting(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  if (process.getuid !== undefined && uid !== process.getuid()) throw new Error('it belongs to another user');
  if ((mode & OTHERS) === 0) return;
  if ((mode & SHARED) === 0 && (await readdir(path)).length === 0) {
    await chmod(path, 0o700);
    return;
  }
  throw new Error(
    `it is open to others. If it is agentcontainers' own, take their rights away with \`chmod 700 ${path}\``,
  );
}
