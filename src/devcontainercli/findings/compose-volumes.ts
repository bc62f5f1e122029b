import { reportEach, type ComposeScope } from './compose-scope.ts';
import { isPlainPath } from './mount-findings.ts';
import { asList, asRecord, isNothing, own } from './records.ts';

const VOLUME_NAME = /^[A-Za-z0-9][\w.-]*$/;
/** Propagation would carry mounts out of the container. */
const MODES = new Set(['rw', 'ro', 'z', 'Z', 'cached', 'delegated', 'consistent', 'nocopy']);
const PARTS = new Set(['type', 'source', 'target', 'read_only', 'consistency', 'bind', 'volume', 'tmpfs']);
const OPTIONS = new Set(['nocopy', 'size', 'mode', 'create_host_path', 'selinux']);

/** `volumes` of a service. A named volume is judged where it is declared. */
export function volumeFindings(property: string, volumes: unknown, scope: ComposeScope): void {
  for (const volume of asList(volumes)) {
    const text = typeof volume === 'string' ? scope.text(volume) : undefined;
    const isFine = text === undefined ? isHarmlessObject(volume, scope) : isHarmlessText(text, scope);
    if (!isFine) scope.report('mount', property, text ?? volume);
  }
}

/** `source:target:mode`, `source:target` or `target`. */
function isHarmlessText(text: string, scope: ComposeScope): boolean {
  const [source = '', target, mode, ...more] = text.split(':');
  if (more.length > 0 || !isPlainPath(source)) return false;
  if (target === undefined) return source.startsWith('/');
  if (!target.startsWith('/') || !isPlainPath(target)) return false;
  return isHarmlessSource(source, scope) && (mode ?? 'rw').split(',').every((name) => MODES.has(name));
}

function isHarmlessSource(source: string, scope: ComposeScope): boolean {
  return VOLUME_NAME.test(source) || (/^[./]/.test(source) && isPlainPath(source) && scope.isWorkspaceFolder(source));
}

function isHarmlessObject(volume: unknown, scope: ComposeScope): boolean {
  const record = asRecord(volume);
  if (!record) return false;
  for (const [name, value] of Object.entries(record)) {
    if (!PARTS.has(name)) return false;
    const options = ['bind', 'volume', 'tmpfs'].includes(name) ? value : undefined;
    if (isNothing(options)) continue;
    if (!Object.keys(asRecord(options) ?? { unknown: true }).every((option) => OPTIONS.has(option))) return false;
  }
  const source = own(record, 'source');
  const text = source === undefined || source === null ? '' : scope.asText(source);
  if (text === undefined) return false;
  switch (scope.asText(own(record, 'type')) ?? '') {
    case 'bind':
      return isPlainPath(text) && scope.isWorkspaceFolder(text);
    case 'volume':
      return text === '' || VOLUME_NAME.test(text);
    case 'tmpfs':
      return text === '';
    default:
      return false;
  }
}

/** `volumes_from`: services of the project, not containers of others. */
export function volumesFromFindings(property: string, value: unknown, scope: ComposeScope): void {
  reportEach(value, 'mount', property, scope, (text) => /^(?!container:)[\w.-]+(?::r[ow])?$/.test(text));
}
