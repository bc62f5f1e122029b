import type { ListResult } from '../model/view.ts';
import { matchesLabels } from './container-claims.ts';

/** The part of a list whose containers carry all these labels. */
export function filterList(list: ListResult, labels: readonly string[]): ListResult {
  if (labels.length === 0) return list;
  return {
    ...list,
    containers: list.containers.filter((container) => matchesLabels(container, labels)),
    devcontainers: list.devcontainers.filter(({ container }) => container && matchesLabels(container, labels)),
  };
}
