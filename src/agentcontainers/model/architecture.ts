/** Other tools' words for an architecture, `uname -m` among them, by the engine's word. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['i386', '386'],
  ['i486', '386'],
  ['i586', '386'],
  ['i686', '386'],
  ['armhf', 'arm'],
  ['armel', 'arm'],
  ['armv6l', 'arm'],
  ['armv7l', 'arm'],
  // A 64-bit kernel under a 32-bit system.
  ['armv8l', 'arm'],
  ['loongarch64', 'loong64'],
]);

/** The engine's word for an architecture (`amd64`, `arm64`), whoever named it; a word that is not known stays, in lower case. */
export function engineArchitecture(word: string): string {
  const lower = word.toLowerCase();
  return ALIASES.get(lower) ?? lower;
}
