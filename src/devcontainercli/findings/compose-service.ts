import type { FindingKind } from '../../agentcontainers/model/verdict.ts';
import { composeBuildFindings, extraHostFindings } from './compose-build.ts';
import { deployFindings } from './compose-deploy.ts';
import { fileListFindings, variableNames } from './compose-environment.ts';
import { fileReference } from './compose-files.ts';
import { labelNames } from './compose-resources.ts';
import { reportEach, type ComposeScope } from './compose-scope.ts';
import { volumeFindings, volumesFromFindings } from './compose-volumes.ts';
import { propertyName } from './finding-detail.ts';
import { isLoopbackPort } from './published-port.ts';
import { asList, asRecord, isExtension, isNothing, own } from './records.ts';
import { isFreeLabel } from './reserved-label.ts';
import { isNoNewPrivileges, isPlainGroup } from './run-arguments.ts';

/** They change what is in the container, or take away from it. */
const HARMLESS = new Set([
  ...['attach', 'cap_drop', 'command', 'container_name', 'cpu_count', 'cpu_percent', 'cpu_period', 'cpu_quota'],
  ...['cpu_shares', 'cpus', 'cpuset', 'depends_on', 'develop', 'dns', 'dns_opt', 'dns_search', 'domainname'],
  ...['entrypoint', 'expose', 'healthcheck', 'hostname', 'init', 'links', 'mac_address', 'mem_limit'],
  ...['mem_reservation', 'mem_swappiness', 'memswap_limit', 'pids_limit', 'platform', 'profiles', 'pull_policy'],
  ...['read_only', 'restart', 'scale', 'shm_size', 'stdin_open', 'stop_grace_period', 'stop_signal', 'tmpfs', 'tty'],
  ...['ulimits', 'user', 'working_dir'],
]);

/** What the others are that are not looked at further; anything else is a `run-argument`. */
const KINDS: ReadonlyMap<string, FindingKind> = new Map([
  ...[
    ...['devices', 'device_cgroup_rules', 'cap_add', 'userns_mode', 'cgroup', 'cgroup_parent', 'sysctls', 'gpus'],
    ...['uts', 'runtime', 'isolation', 'oom_kill_disable', 'oom_score_adj', 'cpu_rt_period', 'cpu_rt_runtime'],
    // A provider is a program on the host.
    ...['external_links', 'provider', 'models', 'credential_spec', 'annotations', 'storage_opt'],
  ].map((name) => [name, 'privilege'] as const),
  ...['use_api_socket', 'volume_driver'].map((name) => [name, 'mount'] as const),
]);

type Rule = (property: string, value: unknown, scope: ComposeScope) => void;

const ownNamespace = /^(?:service:[\w.-]+|private|shareable|none)$/;

const RULES: Readonly<Record<string, Rule>> = {
  volumes: volumeFindings,
  volumes_from: volumesFromFindings,
  build: composeBuildFindings,
  deploy: deployFindings,
  extra_hosts: extraHostFindings,
  env_file: fileListFindings,
  label_file: fileListFindings,
  environment: (_, value, scope) => {
    for (const name of variableNames(value, scope)) scope.report('local-env', `variable ${name}`);
  },
  labels: (property, value, scope) => {
    for (const name of labelNames(value, scope)) if (!isFreeLabel(name)) scope.report('privilege', property, name);
  },
  extends: (property, value, scope) => {
    const file = own(asRecord(value) ?? {}, 'file');
    if (file !== undefined) fileReference(property, file, scope);
  },
  image: (property, value, scope) =>
    reportEach(value, 'run-argument', property, scope, (text) => /^[\w][\w.:/@-]*$/.test(text)),
  privileged: (property, value, scope) =>
    reportEach(value, 'privilege', property, scope, (text) => /^(?:false|no|off)$/i.test(text)),
  security_opt: (property, value, scope) => reportEach(value, 'privilege', property, scope, isNoNewPrivileges),
  group_add: (property, value, scope) => reportEach(value, 'privilege', property, scope, isPlainGroup),
  network_mode: (property, value, scope) =>
    reportEach(value, 'privilege', property, scope, (text) => /^(?:bridge|default|none|service:[\w.-]+)$/.test(text)),
  ipc: (property, value, scope) => reportEach(value, 'privilege', property, scope, (text) => ownNamespace.test(text)),
  pid: (property, value, scope) => reportEach(value, 'privilege', property, scope, (text) => ownNamespace.test(text)),
  ports: portFindings,
  networks: networkFindings,
  logging: loggingFindings,
  // Each grants the service what is declared at the top, where it is judged.
  secrets: () => {},
  configs: () => {},
  post_start: hookFindings,
  pre_stop: hookFindings,
};

/** Everything that one service of a compose file asks for. What is not known to be harmless is a finding. */
export function serviceFindings(path: string, value: unknown, scope: ComposeScope): void {
  if (isNothing(value)) return;
  const service = asRecord(value);
  if (!service) return scope.report('run-argument', path, value);
  for (const [name, given] of Object.entries(service)) {
    if (isNothing(given) || HARMLESS.has(name) || isExtension(name)) continue;
    const property = `${path}.${propertyName(name)}`;
    const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
    if (rule) rule(property, given, scope);
    else reportEntries(KINDS.get(name) ?? 'run-argument', property, given, scope);
  }
  // What is built gets the name of the image, which other containers of this machine may be made from.
  if (!isNothing(own(service, 'build')) && !isNothing(own(service, 'image'))) {
    const image = own(service, 'image');
    scope.report('privilege', `${path}.image, which it builds`, scope.asText(image) ?? image);
  }
}

function reportEntries(kind: FindingKind, property: string, given: unknown, scope: ComposeScope): void {
  const record = asRecord(given);
  if (!record) return reportEach(given, kind, property, scope);
  scope.report(kind, property, record);
}

function portFindings(property: string, ports: unknown, scope: ComposeScope): void {
  for (const port of asList(ports)) {
    const record = asRecord(port);
    if (!record) {
      reportEach(port, 'privilege', property, scope, isLoopbackPort);
      continue;
    }
    const address = scope.asText(own(record, 'host_ip')) ?? '';
    const isLoopback = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|\[::1\])$/.test(address);
    if (!isLoopback || own(record, 'mode') === 'host') scope.report('privilege', property, record);
  }
}

/** Networks themselves are judged where they are declared. */
function networkFindings(property: string, networks: unknown, scope: ComposeScope): void {
  for (const [name, given] of Object.entries(asRecord(networks) ?? {})) {
    for (const [option, value] of Object.entries(asRecord(given) ?? {})) {
      const isFine = ['aliases', 'priority', 'gw_priority', 'ipv4_address', 'ipv6_address', 'mac_address'].includes(
        option,
      );
      if (!isFine && !isNothing(value)) scope.report('privilege', `${property}.${propertyName(name)}.${option}`, value);
    }
  }
}

/** Drivers that keep the log with the container; others send it somewhere. */
function loggingFindings(property: string, logging: unknown, scope: ComposeScope): void {
  const record = asRecord(logging) ?? {};
  const driver = own(record, 'driver');
  const isKept = driver !== undefined && ['json-file', 'local', 'none'].includes(scope.asText(driver) ?? '');
  if (!isKept) scope.report('privilege', property, logging);
}

/** Commands in the container; they may ask for more rights than it has. */
function hookFindings(property: string, hooks: unknown, scope: ComposeScope): void {
  for (const hook of asList(hooks)) {
    const privileged = own(asRecord(hook) ?? {}, 'privileged');
    if (!isNothing(privileged)) scope.report('privilege', `${property}.privileged`, privileged);
    for (const name of variableNames(own(asRecord(hook) ?? {}, 'environment'), scope)) {
      scope.report('local-env', `variable ${name}`);
    }
  }
}
