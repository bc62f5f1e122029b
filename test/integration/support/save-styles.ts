import { rename, rm, unlink, writeFile } from 'node:fs/promises';

/** Ways in which editors write a file that is there, each told by what happens to it. */
export const SAVE_STYLES: readonly (readonly [what: string, save: (path: string, text: string) => Promise<void>])[] = [
  ['is written in place', (path, text) => writeFile(path, text)],
  [
    'is replaced by a rename over it',
    async (path, text) => {
      await writeFile(`${path}.tmp`, text);
      await rename(`${path}.tmp`, path);
    },
  ],
  [
    'is moved away as a backup and written anew',
    async (path, text) => {
      await rename(path, `${path}~`);
      await writeFile(path, text);
      await rm(`${path}~`);
    },
  ],
  [
    'is unlinked and created',
    async (path, text) => {
      await unlink(path);
      await writeFile(path, text);
    },
  ],
];
