const MAX_LENGTH = 64;
const MAX_PARENTS = 5;

/** Lower case, `a-z0-9`, single hyphens, at most 64 characters; empty when nothing of the text can be kept. */
export function safeName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, MAX_LENGTH)
    .replace(/-+$/, '');
}

/** Names for a workspace folder in the order of trying: its own name, then with one to five parent folders in front. */
export function folderNames(workspaceFolder: string): string[] {
  const parts = workspaceFolder.split(/[/\\]+/).filter((part) => safeName(part) !== '');
  const names: string[] = [];
  for (let parents = 0; parents <= MAX_PARENTS && parents < parts.length; parents++) {
    const name = safeName(parts.slice(-1 - parents).join('-'));
    if (!names.includes(name)) names.push(name);
  }
  return names.length > 0 ? names : ['workspace'];
}

/**
 * The first name for the folder that is not taken. A collision never blocks: when all are taken, a number is added to
 * the longest.
 */
export function chooseName(workspaceFolder: string, taken: ReadonlySet<string>): string {
  const names = folderNames(workspaceFolder);
  const free = names.find((name) => !taken.has(name));
  if (free !== undefined) return free;
  const longest = names.at(-1) ?? 'workspace';
  for (let number = 2; ; number++) {
    const name = `${longest.slice(0, MAX_LENGTH - 1 - String(number).length).replace(/-+$/, '')}-${number}`;
    if (!taken.has(name)) return name;
  }
}
