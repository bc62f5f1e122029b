import type { DeliveryTarget, StepOutcome } from './delivery-target.ts';
import { asReason, verifyRuns } from './delivery-target.ts';
import { repeatWhenLost } from './repeat-when-lost.ts';
import { packArchive, packBlank } from './pack-archive.ts';
import { failureReason, runShortCommand } from '../agentcontainers/engine-runtime/run-short-command.ts';

export const DIRECTORY = '.agentcontainers';
/** Where the file belongs. */
export const HOME = `/${DIRECTORY}`;

/**
 * Places the file as root; refuses a directory that is a link, and a copy that is not complete. Reads its input to the end
 * whatever happens, since Podman loses what a command says that leaves some of it.
 */
const COPY_SCRIPT = `set -eu
trap 'cat >/dev/null' EXIT
d=$1 f=$2 n=$3
if [ -L "$d" ]; then echo "$d is a symbolic link" >&2; exit 1; fi
mkdir -p "$d"
chown 0:0 "$d" 2>/dev/null || :
chmod 755 "$d"
t="$d/.$f.$$"
trap 'rm -f "$t"; cat >/dev/null' EXIT
cat >"$t"
[ "$(wc -c <"$t")" -eq "$n" ] || { echo 'the copy is not complete' >&2; exit 1; }
chmod 755 "$t"
mv -f "$t" "$d/$f"`;

/**
 * One upload that carries directory, file, modes and owner; no process in the container, so it needs no shell.
 * @param base where the archive is extracted; empty for the root
 */
export async function deliverByArchive(target: DeliveryTarget, base: string, directory: string): Promise<StepOutcome> {
  const { engine, containerId, fileName, content, signal } = target;
  const at = base === '' ? '/' : base;
  const refused = await asReason(target, () =>
    repeatWhenLost(target, async () => {
      await engine.putArchive(containerId, at, await packArchive(directory, fileName, content), signal);
    }),
  );
  if (refused !== undefined) return { ok: false, reason: `the upload was refused: ${refused}` };
  const outcome = await verifyRuns(target, `${base}/${directory}/${fileName}`);
  if (!outcome.ok) {
    // The engine holds a file there that nobody can run, e.g. below a tmpfs. Empty it, so that no later look at its size
    // takes it for a delivered one.
    await asReason(target, async () => {
      await engine.putArchive(containerId, at, await packBlank(directory, fileName), signal);
    });
  }
  return outcome;
}

/** Through a shell in the container; reaches what an upload does not, e.g. memory file systems. */
export async function deliverByExec(target: DeliveryTarget, directory: string): Promise<StepOutcome> {
  const { engine, clock, limits, containerId, fileName, content, signal } = target;
  const path = `${directory}/${fileName}`;
  const refused = await asReason(target, async () => {
    const result = await runShortCommand(
      engine,
      clock,
      {
        containerId,
        argv: ['/bin/sh', '-c', COPY_SCRIPT, 'sh', directory, fileName, String(content.size)],
        user: '0',
        stdin: content.stream(),
        timeoutMs: limits.copyTimeoutMs,
      },
      signal,
    );
    if (result.exitCode !== 0) throw new Error(failureReason(result));
  });
  if (refused !== undefined) return { ok: false, reason: `writing it through a shell failed: ${refused}` };
  const outcome = await verifyRuns(target, path);
  if (!outcome.ok) {
    await asReason(target, async () => {
      const argv = ['/bin/rm', '-f', path];
      await runShortCommand(
        engine,
        clock,
        { containerId, argv, user: '0', timeoutMs: limits.commandTimeoutMs },
        signal,
      );
    });
  }
  return outcome;
}
