import type { Report } from './finding-list.ts';
import type { Workspace } from './host-path.ts';
import { localVariables } from './local-variables.ts';
import { mountFindings } from './mount-findings.ts';
import { asList, asRecord, isNothing, own, stringsIn } from './records.ts';
import { isNoNewPrivileges } from './run-arguments.ts';

type Layer = Readonly<Record<string, unknown>>;

// What these say is written by the dev container CLI into a compose file as it is, so it could say anything there.
const USER = /^[\w.-]+(?::[\w.-]+)?$/;
const VARIABLE = /^[A-Za-z_][\w.-]*$/;
const ENTRYPOINT = /^[\w./ =-]*$/;

/** Namespaces of `customizations` that are read by us; variables of the host come out where they are shown. */
const OWN_CUSTOMIZATIONS = new Set(['agentcontainers', 'coder']);

/**
 * Properties that a devcontainer.json, a feature and the metadata of an image have in common: the dev container CLI
 * merges them all.
 */
export function layerFindings(layer: Layer, workspace: Workspace, report: Report): void {
  // The CLI's parser takes it for what the object inherits: properties that nobody sees among its own.
  if (holds(layer, '__proto__')) report('mount', 'a property __proto__', layer);
  mountFindings(own(layer, 'mounts'), 'mounts', workspace, report);
  // Any value that JavaScript takes for true counts, also the text "false" and an empty list.
  const privileged = own(layer, 'privileged');
  if (privileged) report('privilege', 'privileged', privileged);
  for (const capability of asList(own(layer, 'capAdd'))) report('privilege', 'capAdd', capability);
  for (const option of asList(own(layer, 'securityOpt'))) {
    if (typeof option !== 'string' || !isNoNewPrivileges(option)) report('privilege', 'securityOpt', option);
  }
  const gpu = own(asRecord(own(layer, 'hostRequirements')) ?? {}, 'gpu');
  if (gpu) report('privilege', 'hostRequirements.gpu', gpu);
  textFindings(layer, 'containerUser', USER, report);
  textFindings(layer, 'entrypoint', ENTRYPOINT, report);
  for (const name of Object.keys(asRecord(own(layer, 'containerEnv')) ?? {})) {
    if (!VARIABLE.test(name)) report('run-argument', 'containerEnv', name);
  }
  for (const name of localVariables(withoutHarmless(layer))) report('local-env', `variable ${name}`);
}

function holds(layer: Layer, wanted: string): boolean {
  for (const text of stringsIn(layer)) if (text === wanted) return true;
  return false;
}

/** A property that is text of this shape, or not there. */
export function textFindings(layer: Layer, name: string, shape: RegExp, report: Report): void {
  const value = own(layer, name);
  if (isNothing(value) || (typeof value === 'string' && shape.test(value))) return;
  report('run-argument', name, value);
}

/**
 * What may hold a variable of the host that then reaches the container or us. The command that runs on the host does
 * not count: it could read them all without.
 */
function withoutHarmless(layer: Layer): unknown {
  const { initializeCommand: _, customizations, ...others } = layer;
  const record = asRecord(customizations);
  if (customizations !== undefined && record === undefined) return layer;
  const kept = Object.entries(record ?? {}).filter(([name]) => OWN_CUSTOMIZATIONS.has(name));
  return [others, kept];
}
