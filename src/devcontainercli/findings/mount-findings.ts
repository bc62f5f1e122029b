import type { Workspace } from './host-path.ts';
import type { Report } from './finding-list.ts';
import { asList, asRecord, isNothing, own } from './records.ts';

/** Names of the parts of a mount, and the one that each is short for. Anything else makes it a finding. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ['type', 'type'],
  ['source', 'source'],
  ['src', 'source'],
  ['target', 'target'],
  ['destination', 'target'],
  ['dst', 'target'],
  ['readonly', 'readonly'],
  ['ro', 'readonly'],
  ['consistency', 'consistency'],
]);

/** A volume of this configuration alone: nobody else's has its id in the name. */
const OWN_VOLUME = /^(?:[A-Za-z0-9][\w.-]*)?(?:\$\{devcontainerId\}[\w.-]*)+$/;

/** `mounts` of a configuration, a feature or the metadata of an image. */
export function mountFindings(mounts: unknown, property: string, workspace: Workspace, report: Report): void {
  if (isNothing(mounts)) return;
  for (const mount of asList(mounts)) {
    const text = asRecord(mount) ? mountText(asRecord(mount) ?? {}) : mount;
    if (!isHarmlessMount(text, workspace)) report('mount', property, mount);
  }
}

/** Also what stands in `workspaceMount`. */
export function isHarmlessMount(mount: unknown, workspace: Workspace): boolean {
  if (typeof mount !== 'string') return false;
  const parts = new Map<string, string>();
  for (const field of mount.split(',')) {
    const [, name, value] = /^([a-z]+)(?:=(.*))?$/.exec(field) ?? [];
    const part = PARTS.get(name ?? '');
    // The engine's client and compose do not agree on what counts when one is said twice.
    if (part === undefined || parts.has(part)) return false;
    parts.set(part, value ?? '');
  }
  if (!isPlainTarget(parts.get('target') ?? '', ['containerWorkspaceFolder', 'devcontainerId'])) return false;
  const source = parts.get('source') ?? '';
  // With compose the type does not count: the source alone decides what it is.
  switch (parts.get('type') ?? 'volume') {
    case 'bind':
      return isWorkspaceFolder(source, workspace);
    case 'volume':
      return source === '' || OWN_VOLUME.test(source);
    case 'tmpfs':
      return source === '';
    default:
      return false;
  }
}

function isWorkspaceFolder(source: string, workspace: Workspace): boolean {
  const path = source.replace(/^\$\{localWorkspaceFolder\}(?=\/|$)/, () => workspace.folder);
  return isPlainPath(path) && workspace.isFolder(path);
}

/** A path in the container, which may begin with or hold one of these variables. */
export function isPlainTarget(target: string, variables: readonly string[]): boolean {
  const path = variables.reduce((text, name) => text.replaceAll(`\${${name}}`, '/'), target);
  return path.startsWith('/') && isPlainPath(path);
}

/** None of its characters means anything to a mount, to compose or to YAML. */
export function isPlainPath(path: string): boolean {
  return !/[\p{C}$,:"'\\{}[\]#]/u.test(path);
}

/** As the dev container CLI writes an object; nothing in it is escaped there either. */
function mountText(mount: Readonly<Record<string, unknown>>): string | undefined {
  const parts = ['type', 'source', 'target'].map((name) => own(mount, name));
  if (parts.some((part) => part !== undefined && typeof part !== 'string')) return undefined;
  const [type, source, target] = parts as (string | undefined)[];
  if (type === undefined || target === undefined) return undefined;
  return `type=${type},${source ? `src=${source},` : ''}dst=${target}`;
}
