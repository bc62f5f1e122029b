/** One line of `/proc/<pid>/mountinfo`. */
export interface MountLine {
  /** Absolute. */
  readonly path: string;
  readonly options: readonly string[];
  /** Of the file system, e.g. `ext4`. */
  readonly type: string;
  /** Options of the file system itself. */
  readonly superOptions: readonly string[];
}

/** `id parent dev root path options [optional…] - type source superOptions`; `undefined` when it is something else. */
export function parseMountLine(text: string): MountLine | undefined {
  const [before, after] = text.split(' - ', 2);
  const [, , , , path, options] = before?.split(' ') ?? [];
  const [type, , superOptions] = after?.split(' ') ?? [];
  if (path?.startsWith('/') !== true || options === undefined || !type) return undefined;
  return {
    path: unescapeOctal(path),
    options: options.split(','),
    type,
    superOptions: superOptions?.split(',') ?? [],
  };
}

/** The kernel writes space, tab, line feed and backslash as three octal digits of a byte; the rest stands as it is. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
