import { posix } from 'node:path';
import type { ContainerFiles, FileStat } from '../ports.ts';
import { rfc3339 } from '../../clock/rfc3339.ts';
import { AgentContainersError } from '../../errors.ts';
import { runShortCommand } from './run-short-command.ts';
import type { CommandResult } from './run-short-command.ts';
import type { EngineWorld } from './engine-process.ts';
import { needsResident } from './needs-resident.ts';
import { fileFailure, readFile } from './read-file.ts';

const TIMEOUT_MS = 30_000;
const COPY_TIMEOUT_MS = 600_000;
/** Each entry costs a process in the container. */
const MAX_ENTRIES = 500;
const KEPT_BYTES = 8 * 1_048_576;
/** What the scripts end with. */
const NOT_FOUND = 44;
const EXISTS = 45;
const FORMAT = '%f %s %Y %u %g';

const EXISTING = `there() { [ -e "$1" ] || [ -L "$1" ]; }
show() { stat -c '${FORMAT}' -- "$1" && { [ ! -L "$1" ] || readlink -- "$1"; }; }
`;
const STAT = `${EXISTING}there "$1" || exit ${NOT_FOUND}; show "$1"`;
/** What a link leads to is what is read. */
const TARGET = `[ -e "$1" ] || exit ${NOT_FOUND}; stat -L -c '${FORMAT}' -- "$1"`;
/** Names cannot hold a slash: one ends each entry. */
const LIST = `${EXISTING}[ -d "$1" ] || exit ${NOT_FOUND}
cd -- "$1" || exit 1
n=0
for f in * .[!.]* ..?*; do
  there "$f" || continue
  n=$((n + 1))
  [ "$n" -gt ${MAX_ENTRIES} ] && { echo more; exit 0; }
  printf '%s/' "$f"; show "$f"; echo //
done`;
/** $1: path, $2: mode or nothing, $3: yes makes directories, $4: yes takes no file that is there, $5: beside it. Reads all. */
const COPY = `${EXISTING}trap 'cat >/dev/null' EXIT
p=$1; [ -L "$p" ] && p=$(readlink -f -- "$p")
d=\${p%/*}; d=\${d:-/}
[ "$3" = yes ] && mkdir -p -- "$d"
[ -d "$d" ] || exit ${NOT_FOUND}
[ "$4" = yes ] && there "$p" && exit ${EXISTS}
cat >"$d/$5"`;
/** The same, when all of it has come: nothing is half written. */
const COMMIT = `${EXISTING}p=$1; [ -L "$p" ] && p=$(readlink -f -- "$p")
d=\${p%/*}; t="\${d:-/}/$5"; m=$2
if there "$p"; then
  [ "$4" = yes ] && { rm -f -- "$t"; exit ${EXISTS}; }
  [ -d "$p" ] && { rm -f -- "$t"; echo "$p is a directory" >&2; exit 1; }
  m=\${m:-$(stat -c %a -- "$p")}
  chown "$(stat -c %u:%g -- "$p")" "$t" 2>/dev/null
fi
chmod "\${m:-0644}" "$t" && mv -f -- "$t" "$p" && show "$p"`;
const MKDIR = `${EXISTING}[ "$3" = yes ] && o=-p || { o=; there "$1" && exit ${EXISTS}; [ -d "\${1%/*}/" ] || exit ${NOT_FOUND}; }
mkdir $o -- "$1" && { [ -z "$2" ] || chmod "$2" -- "$1"; } && show "$1"`;
const MOVE = `${EXISTING}there "$1" || exit ${NOT_FOUND}
[ "$3" = yes ] || { there "$2" && exit ${EXISTS}; }
[ -d "$2" ] && [ ! -L "$2" ] && { echo "$2 is a directory" >&2; exit 1; }
mv -f -- "$1" "$2" && show "$2"`;
const REMOVE = `${EXISTING}there "$1" || exit ${NOT_FOUND}
if [ "$2" = yes ]; then rm -rf -- "$1"; elif [ -d "$1" ] && [ ! -L "$1" ]; then rmdir -- "$1"; else rm -f -- "$1"; fi`;

/**
 * Files through shells in the container: needs `/bin/sh`, `stat` and the usual programs there. At most 500 entries of a
 * directory are listed; nothing is searched.
 */
export function createEngineFiles(world: EngineWorld, newId: () => string): ContainerFiles {
  const { engine, clock, containerId, user } = world;
  const absolute = (path: string): string => posix.resolve(world.workingDir, path);

  async function run(
    doing: string,
    script: string,
    args: readonly string[],
    signal: AbortSignal | undefined,
    stdin?: AsyncIterable<Uint8Array>,
  ): Promise<CommandResult> {
    const argv = ['/bin/sh', '-c', script, 'sh', ...args];
    const timeoutMs = stdin ? COPY_TIMEOUT_MS : TIMEOUT_MS;
    const spec = { containerId, argv, user, stdin, timeoutMs, keptBytes: KEPT_BYTES };
    const result = await runShortCommand(engine, clock, spec, signal ?? new AbortController().signal);
    if (result.exitCode === 0) return result;
    if (result.exitCode === NOT_FOUND) {
      throw new AgentContainersError('path-not-found', `${doing} failed: there is no such path.`);
    }
    if (result.exitCode === EXISTS) {
      throw new AgentContainersError('command-refused', `${doing} failed: there is something already.`);
    }
    throw fileFailure(doing, result);
  }
  async function change(doing: string, script: string, path: string, args: readonly string[], signal?: AbortSignal) {
    const { stdout } = await run(doing, script, args, signal);
    return parseStat(path, stdout);
  }
  const yes = (flag: boolean | undefined): string => (flag ? 'yes' : 'no');

  const files: ContainerFiles = {
    async stat(path, signal) {
      const doing = `Looking at ${JSON.stringify(path)}`;
      try {
        return await change(doing, STAT, absolute(path), [absolute(path)], signal);
      } catch (error) {
        if (error instanceof AgentContainersError && error.code === 'path-not-found') return undefined;
        throw error;
      }
    },
    async list(path, signal) {
      const { stdout } = await run(`Listing ${JSON.stringify(path)}`, LIST, [absolute(path)], signal);
      const parts = stdout.split('//\n');
      const rest = parts.pop() ?? '';
      const entries = parts.map((part) => {
        const end = part.indexOf('/');
        return parseStat(posix.join(absolute(path), part.slice(0, end)), part.slice(end + 1));
      });
      return { entries, truncated: rest.startsWith('more') };
    },
    async read(path, { offset = 0, length } = {}, signal) {
      const at = absolute(path);
      const doing = `Reading ${JSON.stringify(path)}`;
      const found = await change(doing, TARGET, at, [at], signal);
      if (found.type === 'directory')
        throw new AgentContainersError('command-refused', `${doing} failed: it is a directory.`);
      const limit = length === undefined ? '' : ` | head -c ${Math.trunc(length)}`;
      const argv = ['/bin/sh', '-c', `tail -c +${Math.trunc(offset) + 1} -- "$1"${limit}`, 'sh', at];
      const session = await engine.exec({ containerId, argv, user, signal });
      const atLeast = Math.min(length ?? Infinity, Math.max(0, found.size - offset));
      return { size: found.size, bytes: readFile(session, { doing, atLeast, signal }) };
    },
    async write(path, content, options = {}, signal) {
      const doing = `Writing ${JSON.stringify(path)}`;
      const beside = `.agentcontainers-${newId()}`;
      const at = absolute(path);
      const args = [at, options.mode ?? '', yes(options.parents), yes(options.createOnly), beside];
      async function* source(): AsyncGenerator<Uint8Array> {
        if (content instanceof Uint8Array) yield content;
        else yield* content;
      }
      try {
        await run(doing, COPY, args, signal, source());
      } catch (error) {
        // Whoever copies may come to see the end of its input only now.
        await run(
          doing,
          'rm -f -- "$1"; sleep 1; rm -f -- "$1"',
          [posix.join(posix.dirname(at), beside)],
          undefined,
        ).catch(() => {});
        throw error;
      }
      return change(doing, COMMIT, at, args, signal);
    },
    mkdir: (path, options = {}, signal) =>
      change(
        `Making the directory ${JSON.stringify(path)}`,
        MKDIR,
        absolute(path),
        [absolute(path), options.mode ?? '', yes(options.parents)],
        signal,
      ),
    move: (from, to, options = {}, signal) =>
      change(
        `Moving ${JSON.stringify(from)}`,
        MOVE,
        absolute(to),
        [absolute(from), absolute(to), yes(options.overwrite)],
        signal,
      ),
    async remove(path, options = {}, signal) {
      await run(`Removing ${JSON.stringify(path)}`, REMOVE, [absolute(path), yes(options.recursive)], signal);
    },
    // oxlint-disable-next-line require-yield
    async *search(path) {
      throw needsResident(`Searching ${JSON.stringify(path)}`, 'the engine alone searches no files');
    },
  };
  return files;
}

/** `<raw mode, hex> <size> <seconds> <uid> <gid>`, then the target of a link. */
function parseStat(path: string, text: string): FileStat {
  const [first = '', ...target] = text.split('\n');
  const [, mode, size, seconds, uid, gid] = /^([0-9a-f]+) (\d+) (\d+) (\d+) (\d+)$/.exec(first.trim()) ?? [];
  if (mode === undefined)
    throw needsResident(`Looking at ${JSON.stringify(path)}`, "the container's stat is another one");
  const bits = Number.parseInt(mode, 16);
  const type = TYPES[bits & 0o170000] ?? 'other';
  return {
    path,
    type,
    size: Number(size),
    mode: (bits & 0o7777).toString(8).padStart(4, '0'),
    modifiedAt: rfc3339(Number(seconds) * 1_000),
    uid: Number(uid),
    gid: Number(gid),
    target: type === 'link' ? target.join('\n').replace(/\n$/, '') : undefined,
  };
}

const TYPES: Readonly<Record<number, FileStat['type']>> = { 0o100000: 'file', 0o040000: 'directory', 0o120000: 'link' };
