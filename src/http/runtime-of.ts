import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import { readId } from './request-input.ts';
import type { RoutedRequest, RoutePorts } from './route.ts';

/** Statuses of errors that every request to a container can be answered with. */
export const RUNTIME_ERRORS: readonly number[] = [403, 404, 409, 502, 504];

/** What runs in the devcontainer that the path names. */
export function runtimeOf({ api }: RoutePorts, { params }: RoutedRequest): DevcontainerRuntime {
  return api.devcontainer(readId(params, 'id'));
}
