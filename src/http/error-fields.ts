import type { z } from 'zod';
import type { Finding, Holder } from '../agentcontainers/api.ts';
import type { AgentContainersError, ErrorCode } from '../errors.ts';
import { missingThing, type WireFinding, type WireHolder } from './wire-schemas.ts';
import { toWireFinding, toWireHolder } from './wire.ts';

export interface Validation {
  readonly field: string;
  readonly detail: string;
}

/** What the answer to an error says for programs, beside message, code and detail. */
export interface ErrorFields {
  readonly validations?: readonly Validation[] | undefined;
  /** With 409 of `POST /devcontainers`: what `config_path` can be. */
  readonly config_paths?: readonly string[] | undefined;
  /** With 403 `Devcontainer is not trusted`: what is not. */
  readonly findings?: readonly WireFinding[] | undefined;
  /** Of the findings as they are now; with 403 `Devcontainer is not trusted` and 409 `The findings have changed`. */
  readonly hash?: string | undefined;
  /** With 409 `Devcontainer is busy`: who uses it. */
  readonly holders?: readonly WireHolder[] | undefined;
  /**
   * What is not there: with 409 `The container refused it` that a process was to be started with, and with 409 `The runtime
   * of the container is not available` the resident, where the engine alone cannot do it.
   */
  readonly reason?: z.infer<typeof missingThing> | undefined;
}

/** Only of the codes that are documented to have them, and only what has the right form: details can hold anything. */
export function errorFields({ code, details }: AgentContainersError): ErrorFields {
  const isOne = (...codes: ErrorCode[]): boolean => codes.includes(code);
  const { validations, configPaths, findings, hash, holders, reason } = details;
  const ofVerdict = isOne('devcontainer-not-trusted', 'verdict-changed');
  return {
    validations: isOne('invalid-request') ? list<Validation>(validations, isValidation) : undefined,
    config_paths: isOne('config-ambiguous') ? list<string>(configPaths, isText) : undefined,
    // None is left out: who accepts the hash accepts all of them.
    findings: ofVerdict ? list<Finding>(findings, isFinding)?.map(toWireFinding) : undefined,
    hash: ofVerdict && isText(hash) ? hash : undefined,
    holders: isOne('devcontainer-busy') ? list<Holder>(holders, isHolder)?.map(toWireHolder) : undefined,
    reason: isOne('command-refused', 'runtime-unavailable')
      ? missingThing.options.find((one) => one === reason)
      : undefined,
  };
}

function list<T>(value: unknown, matches: (item: unknown) => boolean): readonly T[] | undefined {
  return Array.isArray(value) ? (value.filter(matches) as T[]) : undefined;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isValidation = (item: unknown): boolean => hasTexts(item, 'field', 'detail');
const isFinding = (item: unknown): boolean => hasTexts(item, 'kind', 'detail', 'source');
const isHolder = (item: unknown): boolean =>
  hasTexts(item, 'id', 'kind', 'description') && typeof (item as Holder).since === 'number';

function hasTexts(item: unknown, ...names: string[]): boolean {
  return typeof item === 'object' && item !== null && names.every((name) => isText((item as never)[name]));
}
