import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../..');

/** Modules of ours that a file imports when it comes to that, relative to the folder of the sources. */
async function importedLater(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/\bimport\('(\.[^']+)'\)/g)].map(([, path = '']) =>
    relative(SOURCE, resolve(file, '..', path)),
  );
}

test('everything that the daemon imports later is loaded when it has started', async () => {
  const files = (await readdir(SOURCE, { recursive: true, withFileTypes: true }))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const later = await Promise.all(
    files
      // Command lines load what their command needs; the parts of a start are there when it has ended.
      .filter((file) => !/^(?:daemon|testing)\//.test(relative(SOURCE, file)))
      .map((file) => importedLater(file)),
  );
  const wanted = [...new Set(later.flat())].sort();
  expect(wanted).not.toEqual([]);
  expect((await importedLater(join(import.meta.dirname, 'load-the-rest.ts'))).sort()).toEqual(wanted);
});
