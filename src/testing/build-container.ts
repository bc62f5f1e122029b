import { posix } from 'node:path';
import { LABEL } from '../agentcontainers/model/container.ts';
import type { Container, ContainerMount } from '../agentcontainers/model/container.ts';
import type { ContainerDetails } from '../agentcontainers/ports.ts';
import { FAKE_CLOCK_START } from './fake-clock.ts';

export const DEFAULT_IMAGE = 'agentcontainers-base:1';

/** What a test says of a container; everything else gets a default. */
export interface ContainerSeed extends Partial<Omit<Container, 'running' | 'status'>> {
  /** Adds the labels that the devcontainer CLI sets and a bind mount of this folder. */
  readonly workspaceFolder?: string;
  /** Default, with `workspaceFolder`: `.devcontainer/devcontainer.json` in it. */
  readonly configPath?: string;
  readonly exitCode?: number;
  /** The engine's own error text. */
  readonly error?: string;
  readonly oomKilled?: boolean;
  /** User of the image or of the create call; default root. */
  readonly user?: string;
  readonly env?: readonly string[];
}

/**
 * A container with all that is known once it was inspected: running, of the image `agentcontainers-base:1`. With a folder (by
 * `workspaceFolder` or by its label) it has a bind mount from there to `/workspaces/<base name>`.
 */
export function buildContainer(seed: ContainerSeed = {}): Container {
  const labels = { ...devcontainerLabels(seed), ...seed.labels };
  const state = seed.state ?? 'running';
  const createdAt = seed.createdAt ?? FAKE_CLOCK_START;
  return {
    id: seed.id ?? fakeContainerId(0),
    name: seed.name ?? 'container',
    image: seed.image ?? DEFAULT_IMAGE,
    imageId: seed.imageId ?? `sha256:${'1'.repeat(64)}`,
    labels,
    createdAt,
    state,
    running: state === 'running',
    status: statusText(state, seed.exitCode ?? 0, seed.error ?? ''),
    startedAt: state === 'created' ? undefined : (seed.startedAt ?? createdAt),
    ports: seed.ports ?? [],
    mounts: seed.mounts ?? folderMount(labels),
    portWarnings: seed.portWarnings ?? [],
  };
}

/** The same container as an inspection shows it. */
export function buildContainerDetails(seed: ContainerSeed = {}): ContainerDetails {
  const { ports: _ports, portWarnings: _warnings, ...common } = buildContainer(seed);
  return {
    ...common,
    exitCode: seed.exitCode ?? 0,
    oomKilled: seed.oomKilled ?? false,
    error: seed.error ?? '',
    user: seed.user ?? '',
    env: seed.env ?? [],
  };
}

/** 64 hex digits that differ within the first four. */
export function fakeContainerId(number: number): string {
  return number.toString(16).padStart(4, '0').slice(-4).repeat(16);
}

/** What a listing shows of it: created in whole seconds, without the start of its run and without an error text. */
export function asListed(container: Container): Container {
  const { startedAt: _startedAt, createdAt, status, ...listed } = container;
  return { ...listed, createdAt: createdAt - (createdAt % 1000), status: status.split(':', 1)[0] ?? status };
}

function statusText(state: Container['state'], exitCode: number, error: string): string {
  let text: string = state;
  if (state === 'exited') text = exitCode === 0 ? 'exited successfully' : `exited with code ${exitCode}`;
  return error === '' ? text : `${text}: ${error}`;
}

function devcontainerLabels(seed: ContainerSeed): Record<string, string> {
  if (seed.workspaceFolder === undefined) return {};
  return {
    [LABEL.localFolder]: seed.workspaceFolder,
    [LABEL.configFile]: seed.configPath ?? posix.join(seed.workspaceFolder, '.devcontainer/devcontainer.json'),
  };
}

function folderMount(labels: Readonly<Record<string, string>>): ContainerMount[] {
  const source = labels[LABEL.localFolder];
  if (!source) return [];
  return [{ type: 'bind', source, destination: `/workspaces/${posix.basename(source)}`, writable: true }];
}
