import type { FindingKind } from '../../agentcontainers/model/verdict.ts';
import type { KnownOptions } from './command-arguments.ts';
import { isLoopbackPort } from './published-port.ts';
import { isFreeLabel } from './reserved-label.ts';

const anything = (): boolean => true;
const oneOf =
  (...values: string[]) =>
  (value: string): boolean =>
    values.includes(value);

/** A variable with a value; one without takes that of the host. */
export const isLiteralVariable = (value: string): boolean => /^[^=\s]+=/.test(value);

/** A host name with an address; `host-gateway` is the host itself. */
export const isPlainHost = (value: string): boolean => /^[\w.-]+[:=]\[?[\da-fA-F.:]+\]?$/.test(value);

/** A group by number or name; others mean groups of whoever runs the engine. */
export const isPlainGroup = (value: string): boolean => /^(?!keep-groups$)[\w-]+$/.test(value);

/** A network that is nobody else's. */
export const isOwnNetwork = oneOf('bridge', 'default', 'none');

/** The only security option that takes rights away and gives none. */
export const isNoNewPrivileges = oneOf('no-new-privileges', 'no-new-privileges:true', 'no-new-privileges=true');

/** `docker run` and `podman run` agree on all of these; what only one of them has is left out. */
export const RUN_OPTIONS: KnownOptions = {
  switches: new Set(['--init', '--rm', '--interactive', '--tty', '--detach', '--read-only', '--no-healthcheck']),
  values: new Map([
    ['--env', isLiteralVariable],
    ['--label', (value) => isFreeLabel(value.split('=', 1)[0] ?? '')],
    ['--publish', isLoopbackPort],
    ['--add-host', isPlainHost],
    ['--network', isOwnNetwork],
    ['--net', isOwnNetwork],
    ['--ipc', oneOf('private', 'none', 'shareable')],
    ['--group-add', isPlainGroup],
    ['--security-opt', isNoNewPrivileges],
    ...[
      ...['--name', '--hostname', '--network-alias', '--net-alias', '--mac-address', '--expose'],
      ...['--dns', '--dns-search', '--dns-option', '--user', '--workdir', '--entrypoint', '--platform'],
      ...['--memory', '--memory-reservation', '--memory-swap', '--memory-swappiness', '--shm-size', '--tmpfs'],
      ...['--cpus', '--cpu-shares', '--cpu-period', '--cpu-quota', '--cpuset-cpus', '--cpuset-mems'],
      ...['--pids-limit', '--ulimit', '--cap-drop', '--restart', '--stop-signal', '--stop-timeout'],
      ...['--health-cmd', '--health-interval', '--health-retries', '--health-start-period', '--health-timeout'],
    ].map((name) => [name, anything] as const),
  ]),
  letters: new Map([
    ['i', '--interactive'],
    ['t', '--tty'],
    ['d', '--detach'],
    ['e', '--env'],
    ['l', '--label'],
    ['p', '--publish'],
    ['P', '--publish-all'],
    ['v', '--volume'],
    ['h', '--hostname'],
    ['u', '--user'],
    ['w', '--workdir'],
    ['m', '--memory'],
    ['c', '--cpu-shares'],
  ]),
  kinds: new Map<string, FindingKind>([
    ...[
      ...['--volume', '--mount', '--volumes-from', '--volume-driver', '--use-api-socket', '--rootfs'],
      // They read or write files of the host.
      ...['--env-file', '--label-file', '--cidfile', '--pidfile', '--conmon-pidfile', '--secret'],
    ].map((name) => [name, 'mount'] as const),
    ...[
      ...['--privileged', '--cap-add', '--security-opt', '--device', '--device-cgroup-rule', '--gpus', '--runtime'],
      ...['--pid', '--ipc', '--uts', '--userns', '--cgroupns', '--cgroup-parent', '--network', '--net', '--sysctl'],
      ...['--publish', '--publish-all', '--group-add', '--oom-kill-disable', '--oom-score-adj', '--add-host', '--link'],
      ...['--uidmap', '--gidmap', '--subuidname', '--subgidname', '--cpu-rt-runtime', '--cpu-rt-period', '--label'],
    ].map((name) => [name, 'privilege'] as const),
    ...['--env', '--env-host', '--http-proxy'].map((name) => [name, 'local-env'] as const),
  ]),
};
