import type { StartBody } from '../../http/runtime-wire-schemas.ts';

/** Where and as whom something is started. */
export interface StartFlags {
  readonly user?: string;
  readonly workdir?: string;
  readonly env: Readonly<Record<string, string>>;
}

export function startFields({ workdir, user, env }: StartFlags): Pick<StartBody, 'cwd' | 'user' | 'env'> {
  return {
    ...(workdir === undefined ? {} : { cwd: workdir }),
    ...(user === undefined ? {} : { user }),
    ...(Object.keys(env).length === 0 ? {} : { env: { ...env } }),
  };
}
