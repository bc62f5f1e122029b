import { pathToFileURL } from 'node:url';
import type * as Library from '../src/index.ts';
import { LIBRARY } from './paths.ts';

/** The built package; its types are those of the source. */
export async function loadLibrary(): Promise<typeof Library> {
  return (await import(pathToFileURL(LIBRARY).href)) as typeof Library;
}
