import { soundsSecret } from '../text/secret-names.ts';
import { asRecord, own } from './findings/records.ts';

/** Most values that are looked for: each is searched for in every line. */
const MAX_SECRETS = 100;
const MAX_LENGTH = 16 * 1024;

/**
 * Values that a configuration itself gives to names of secrets: in the environment of the container and of commands, in
 * arguments of the build, in options of features, and in arguments for the engine's client. People do that, and the CLI
 * writes most of them into labels, which a builder shows.
 */
export function secretsOf(config: Readonly<Record<string, unknown>>): readonly string[] {
  const found = new Set<string>();
  const take = (value: unknown): void => {
    if (typeof value === 'string' && value.length <= MAX_LENGTH && found.size < MAX_SECRETS) found.add(value);
  };
  const build = asRecord(own(config, 'build')) ?? {};
  const features = Object.values(asRecord(own(config, 'features')) ?? {});
  for (const record of [own(config, 'containerEnv'), own(config, 'remoteEnv'), own(build, 'args'), ...features]) {
    for (const [name, value] of Object.entries(asRecord(record) ?? {})) if (soundsSecret(name)) take(value);
  }
  for (const list of [own(config, 'runArgs'), own(build, 'options')]) {
    for (const argument of Array.isArray(list) ? (list as unknown[]) : []) {
      if (typeof argument === 'string') for (const value of pairValues(argument)) take(value);
    }
  }
  return [...found];
}

/** `-eTOKEN=x`, `--env=TOKEN=x`, `TOKEN=x`. */
function pairValues(argument: string): string[] {
  const [, name, value] = /^(?:-{1,2}[\w-]*=)?(-?\w[\w.-]*)=([\s\S]*)$/.exec(argument) ?? [];
  return name !== undefined && value !== undefined && soundsSecret(name) ? [value] : [];
}
