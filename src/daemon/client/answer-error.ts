import { AgentContainersError, ERROR_FAMILIES, type ErrorCode } from '../../errors.ts';

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
    details: { status, ...(detail === '' ? {} : { detail }) },
  });
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
