import { readFile } from 'node:fs/promises';
import type { Finding } from './finding.ts';
import { fail, ok, warn } from './finding.ts';

const MIN_NODE = [20, 19] as const;
/** The kernel's default, and what a few editors beside us use up (engine-facts 17). */
const MIN_INOTIFY = { max_user_instances: 256, max_user_watches: 65_536 } as const;

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  return enough
    ? ok('node', `Node.js ${version}`)
    : fail('node', `Node.js ${version} is too old`, `Install Node.js ${MIN_NODE.join('.')} or newer.`);
}

/** `read` gives the text of a file below /proc/sys/fs/inotify, or `undefined` where there is none. */
export async function checkInotify(
  read: (name: string) => Promise<string | undefined> = readInotifyLimit,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, least] of Object.entries(MIN_INOTIFY)) {
    const text = await read(name);
    if (text === undefined) continue;
    const value = Number(text.trim());
    findings.push(
      value >= least
        ? ok('inotify', `fs.inotify.${name} is ${value}`)
        : warn(
            'inotify',
            `fs.inotify.${name} is ${value}: with several editors open it runs out, and changes are then seen by polling`,
            `Raise it: sudo sysctl fs.inotify.${name}=${least * 2}`,
          ),
    );
  }
  return findings;
}

async function readInotifyLimit(name: string): Promise<string | undefined> {
  return readFile(`/proc/sys/fs/inotify/${name}`, 'utf8').catch(() => undefined);
}
