import { AgentContainersError, ERROR_FAMILIES, type ErrorCode } from '../../errors.ts';
import type { WireFinding, WireHolder } from '../../http/wire-schemas.ts';
import type { RefusalDetails } from '../output/refusal-lines.ts';

/** For answers without a code, such as those of something that stands between. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-request',
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'devcontainer-not-found',
  405: 'invalid-request',
  409: 'devcontainer-busy',
  413: 'invalid-request',
  415: 'invalid-request',
  503: 'api-closed',
  504: 'timeout',
};

/** A refusing answer of the daemon as a typed error. The body is what http.md says, or anything at all. */
export function answerError(status: number, body: unknown): AgentContainersError {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const message = textOf(fields['message']) ?? `The daemon answered with status ${status}.`;
  const named = textOf(fields['code']);
  const code = isErrorCode(named) ? named : (BY_STATUS[status] ?? 'engine-request-failed');
  const details = [
    textOf(fields['detail']),
    ...validations(fields['validations']),
    configPaths(fields['config_paths']),
  ];
  const detail = details.filter((line) => line !== undefined).join(' ');
  return new AgentContainersError(code, message, {
    details: { status, ...(detail === '' ? {} : { detail }), ...reasonOf(fields['reason']), ...refusalOf(fields) },
  });
}

/** For programs: what is not there that a process was to be started with. */
function reasonOf(value: unknown): { readonly reason?: string } {
  const reason = textOf(value);
  return reason === undefined ? {} : { reason };
}

/** What programs and tables are made of. Only what has the right form: something that stands between may have answered. */
function refusalOf(fields: Readonly<Record<string, unknown>>): RefusalDetails {
  const findings = itemsOf<WireFinding>(fields['findings'], 'kind', 'detail', 'source');
  const hash = textOf(fields['hash']);
  const holders = itemsOf<WireHolder>(fields['holders'], 'kind', 'description', 'since');
  return {
    ...(findings === undefined ? {} : { findings }),
    ...(hash === undefined ? {} : { hash }),
    ...(holders === undefined ? {} : { holders }),
  };
}

/** `undefined` when one of them has not these texts: some of the findings must not look like all of them. */
function itemsOf<T>(value: unknown, ...names: string[]): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const isWhole = (item: unknown): boolean =>
    typeof item === 'object' && item !== null && names.every((name) => typeof (item as never)[name] === 'string');
  return value.every(isWhole) ? (value as readonly T[]) : undefined;
}

function validations(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, 20).flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null) return [];
    const { field, detail } = item as Record<string, unknown>;
    return [`${textOf(field) ?? 'request'}: ${textOf(detail) ?? 'invalid'}.`];
  });
}

function configPaths(value: unknown): string | undefined {
  const paths = Array.isArray(value) ? value.filter((path) => typeof path === 'string') : [];
  return paths.length === 0 ? undefined : `Choose one with --config: ${paths.join(', ')}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(ERROR_FAMILIES, code);
}
