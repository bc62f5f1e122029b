import { readFile } from 'node:fs/promises';

/** The version in our package.json, which lies two folders above this file in the sources as in the package. */
export async function packageVersion(): Promise<string> {
  const content = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return content.version;
}
