import type { Instant } from './time.ts';

export type FindingKind =
  /** A command that the dev container CLI runs on the host. */
  | 'initialize-command'
  /** A directory or file of the host outside the workspace folder, or the engine's socket. */
  | 'mount'
  /** Rights on the host: `--privileged`, capabilities, devices, host namespaces, security options, … */
  | 'privilege'
  /** An argument of `docker run` that is not known to be harmless. */
  | 'run-argument'
  /** A variable of the host's environment that the configuration reads. */
  | 'local-env'
  /** Code from elsewhere that may ask for any of these, e.g. a feature of a registry. */
  | 'remote-feature';

/** One property of a configuration by which a container, or the CLI, can reach the host. */
export interface Finding {
  readonly kind: FindingKind;
  /** What it asks for, as a person reads it; bounded, without control characters. */
  readonly detail: string;
  /** The file that says so, relative to the workspace folder; or `image <reference>`. */
  readonly source: string;
}

/** What a configuration can do to the host, now. */
export interface Verdict {
  /** Sorted, without repetition. */
  readonly findings: readonly Finding[];
  /** SHA-256, hex, over the findings. */
  readonly hash: string;
}

/** A person, or the embedder, has seen a verdict and accepts it. */
export interface Trust {
  readonly hash: string;
  readonly findings: readonly Finding[];
  readonly at: Instant;
}

/** Somebody has accepted exactly this, also where it is that it can do nothing. */
export function isAccepted(verdict: Verdict, trust: Trust | undefined): boolean {
  return trust?.hash === verdict.hash;
}

/**
 * What an `up` that makes a container may do. `without-initialize-command`: not trusted, but that command is the only
 * finding, so the container is made without it.
 */
export type Permission = 'all' | 'without-initialize-command' | 'none';

export function permissionOf(verdict: Verdict | undefined, trust: Trust | undefined): Permission {
  if (!verdict) return 'none';
  if (verdict.findings.length === 0 || trust?.hash === verdict.hash) return 'all';
  return verdict.findings.every(({ kind }) => kind === 'initialize-command') ? 'without-initialize-command' : 'none';
}
