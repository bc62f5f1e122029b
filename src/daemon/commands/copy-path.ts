import { basename as localName } from 'node:path';
import { posix } from 'node:path';
import { AgentContainersError } from '../../errors.ts';

export type CopyEnd =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'container'; readonly name: string; readonly path: string }
  /** Standard input or output. */
  | { readonly kind: 'stream' };

/**
 * `-`, `<name>:<path>`, or a path on this machine. What has a slash before its first colon is on this machine, so that
 * `./a:b` is.
 */
export function parseCopyPath(text: string): CopyEnd {
  if (text === '-') return { kind: 'stream' };
  if (text === '') throw new AgentContainersError('invalid-request', 'Copying failed: a path is empty.');
  const colon = text.indexOf(':');
  const name = text.slice(0, colon);
  if (colon <= 0 || name.includes('/')) return { kind: 'local', path: text };
  return { kind: 'container', name, path: text.slice(colon + 1) || '.' };
}

/** What a copy of it is called in a folder that is there; `undefined` when its contents are meant (`folder/.`). */
export function copiedName(path: string, kind: 'local' | 'container'): string | undefined {
  const last = kind === 'local' ? localName(path) : posix.basename(path);
  // `basename` does not see a slash at the end, which is what makes `folder/` keep its name.
  return last === '' || last === '.' || last === '..' ? undefined : last;
}

/**
 * The last part of a path that a container has told, if it can be the name of an entry of a folder here. What it says
 * before that is not used.
 */
export function entryName(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) return undefined;
  return Buffer.byteLength(name) > 255 ? undefined : name;
}
