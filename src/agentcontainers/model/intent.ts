import type { JobId } from './devcontainer.ts';
import type { Instant } from './time.ts';

/**
 * What a job set out to do, written before its first side effect, so that whoever finds it half done knows how it was
 * meant to end. Gone when the job has ended.
 */
export type Intent = UpIntent | DeleteIntent;

interface Begun {
  readonly operationId: JobId;
  readonly since: Instant;
  /** Set when a later daemon found it: the job that wrote it is gone. */
  readonly isInterrupted?: boolean | undefined;
}

/** What an `up` set out from. A container that was not there before it was made by it. */
export interface UpIntent extends Begun {
  readonly kind: 'up';
  readonly fingerprint: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly knownContainers: readonly string[];
  /** The CLI's process, which may outlive us. */
  readonly process?: { readonly pid: number; readonly startedAt: string } | undefined;
  /** Set from the moment on when the old container is no longer left alone. */
  readonly swap?: Swap | undefined;
}

/** The exchange of one container for another. Until `isReady` the old one is what must be brought back. */
export interface Swap {
  readonly oldContainerId: string;
  readonly oldName: string;
  readonly wasRunning: boolean;
  /** The new one is ready; what is left is to remove the old one. */
  readonly isReady: boolean;
  /** Of a compose service, which cannot stand beside its successor: by this it can be made again. */
  readonly backup?: { readonly imageId: string; readonly blueprint: string } | undefined;
}

export interface DeleteIntent extends Begun {
  readonly kind: 'delete';
  readonly volumes: VolumesOption;
}

/** Which volumes go with a devcontainer: none; anonymous ones; those that its compose project named as well. */
export type VolumesOption = 'none' | 'anonymous' | 'named';
