/** What a command that the CLI starts on the host does, as far as people care. */
export type CommandPhase = 'build' | 'create' | 'other';

// Options of docker-compose that stand before its verb and take a value.
const VALUE_OPTIONS = new Set([
  '-f',
  '--file',
  '-p',
  '--project-name',
  '--env-file',
  '--profile',
  '--project-directory',
]);
const BUILD = new Set(['build', 'pull', 'buildx build']);
const CREATE = new Set(['run', 'create', 'start', 'up']);

/**
 * Tells from a log text such as `Run: docker build …` which phase begins; `undefined` when the text is not about a
 * command on the host. The executable may have any path and be docker, podman, docker-compose or the like.
 */
export function commandPhase(text: string): CommandPhase | undefined {
  if (text === 'Starting container') return 'create';
  if (!text.startsWith('Run: ')) return undefined;
  const words = text.slice(5, 4_000).split(/\s+/);
  let at = 1;
  if (words[at] === 'compose') at++;
  while (words[at]?.startsWith('-')) at += VALUE_OPTIONS.has(words[at] ?? '') ? 2 : 1;
  const verb = words[at] === 'buildx' ? `buildx ${words[at + 1]}` : (words[at] ?? '');
  if (BUILD.has(verb)) return 'build';
  return CREATE.has(verb) ? 'create' : 'other';
}
