import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from './duration.ts';
import { type ListenAddress, parseListenAddress } from './listen-address.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type AdoptChoice = 'roots' | 'all' | 'none';

/** What `serve` was told, after flags, environment and defaults. */
export interface ServeFlags {
  readonly listen: ListenAddress | 'off';
  readonly socket?: string;
  readonly stateDir?: string;
  /** Milliseconds. */
  readonly updateInterval: number;
  readonly adopt: AdoptChoice;
  readonly label: readonly string[];
  /** Look for configurations below the roots. */
  readonly discovery: boolean;
  /** Start what asks for it. */
  readonly autostart: boolean;
  readonly subAgent?: string;
  readonly subAgentUrl?: string;
  readonly subAgentEnv: Readonly<Record<string, string>>;
  readonly subAgentCommand?: string;
  readonly dockerHost?: string;
  readonly dockerContext?: string;
  readonly logLevel: LogLevel;
  readonly logFile?: string;
  readonly logJson?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly allowRemote: readonly string[];
  readonly metricsAddress?: ListenAddress;
  readonly debugAddress?: ListenAddress;
  readonly json?: boolean;
  readonly background?: boolean;
}

/** What `parse` refuses becomes a usage error. */
export function usage<T>(parse: (text: string, before: unknown) => T): (text: string, before: unknown) => T {
  return (text, before) => {
    try {
      return parse(text, before);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

/** An option whose variable is AGENTCONTAINERS_ and its name. */
function option(flags: string, description: string, parse?: (text: string, before: unknown) => unknown): Option {
  const made = new Option(flags, description);
  made.env(`AGENTCONTAINERS_${made.name().replaceAll('-', '_').toUpperCase()}`);
  return parse === undefined ? made : made.argParser(usage(parse));
}

/**
 * Two options that exclude each other. Both as flags are an error; a flag goes before the variable of the other, and of
 * two variables the first option's counts. (Commander alone would call each of these a conflict.)
 */
function addEither(command: Command, first: Option, second: Option): void {
  const [one, other] = [first.attributeName(), second.attributeName()];
  command.addOption(first).addOption(second.conflicts(one));
  command.on(`optionEnv:${first.name()}`, () => {
    if (command.getOptionValueSource(other) === 'cli') unset(command, one);
  });
  // Variables are read in the order of the options, so the first one is set by now, if it is.
  command.on(`optionEnv:${second.name()}`, () => {
    if (command.getOptionValue(one) !== undefined) unset(command, other);
  });
}

function unset(command: Command, name: string): void {
  command.setOptionValueWithSource(name, undefined, 'default');
}

/** Where the daemon is to be found; every command takes these. */
export function addLocationOptions(command: Command): Command {
  return command
    .addOption(option('--state-dir <path>', 'state directory (default: agentcontainers in your state home)'))
    .addOption(option('--socket <path>', 'Unix socket of the daemon (default: daemon.sock in the state directory)'));
}

/** Which engine; the same for all who look for one. */
export function addEngineOptions(command: Command): Command {
  addEither(
    command,
    option('--docker-host <address>', 'engine, such as unix:///var/run/docker.sock (default: found)'),
    option('--docker-context <name>', 'docker context that names the engine'),
  );
  return command;
}

export function addServeOptions(command: Command): Command {
  addLocationOptions(command)
    .addOption(
      option('--listen <host:port>', 'loopback TCP address; "off" for none', (text) =>
        text === 'off' ? 'off' : parseListenAddress(text),
      ).default({ host: '127.0.0.1', port: 0 } satisfies ListenAddress, '127.0.0.1 and a free port'),
    )
    .addOption(
      option('--update-interval <duration>', 'safety-net period of the update cycle', (text) =>
        parseDuration(text, { min: 100, max: 3_600_000 }),
      ).default(10_000, '10s'),
    )
    .addOption(
      option('--adopt <which>', 'which dev containers to act on: those below the roots, all, or none')
        .choices(['roots', 'all', 'none'])
        .default('roots'),
    )
    .addOption(
      option(
        '--label <k=v>',
        'only containers with this label; repeatable (variable: one a line)',
        appendLabels,
      ).default([], 'any'),
    )
    .addOption(option('--discovery', 'list what is found below the roots, also without a container').default(true))
    .addOption(option('--no-discovery', 'list only what has a container or was brought up here'))
    .addOption(
      option('--autostart', 'start what says autoStart in its customizations, if that was accepted').default(
        false,
        'off',
      ),
    )
    .addOption(option('--sub-agent-url <url>', 'remote control plane for sub-agents (default: built in)', parseUrl))
    .addOption(
      option(
        '--sub-agent-env <k=v>',
        'environment of sub-agents; repeatable (variable: one a line)',
        appendEnvironment,
      ).default({}, 'none'),
    );
  addEither(
    command,
    option('--sub-agent <path>', 'executable or provider module to inject (default: the built-in one)'),
    option('--sub-agent-command <line>', 'shell line that the built-in sub-agent runs, e.g. a coding agent'),
  );
  return addEngineOptions(command)
    .addOption(option('--log-level <level>', 'least level that is logged').choices(LOG_LEVELS).default('info'))
    .addOption(option('--log-file <path>', 'also log to this file, rotated at 5 MB, 10 files kept'))
    .addOption(option('--log-json', 'log JSON lines to stderr'))
    .addOption(option('--tls-cert <file>', 'certificate (PEM), for an address that other machines can reach'))
    .addOption(option('--tls-key <file>', 'its private key (PEM)'))
    .addOption(
      option(
        '--allow-remote <host>',
        'let others reach it under this name; repeatable, needs TLS',
        appendHosts,
      ).default([], 'none'),
    )
    .addOption(
      option(
        '--metrics-address <host:port>',
        'serve Prometheus metrics here (loopback; needs no token, and shows counts only)',
        parseListenAddress,
      ),
    )
    .addOption(
      option(
        '--debug-address <host:port>',
        'serve a JSON dump of the state here (loopback, and only with the bearer token of the state directory)',
        parseListenAddress,
      ),
    )
    .addOption(new Option('--background').hideHelp());
}

/** `k` or `k=v`, one a line. */
export function appendLabels(text: string, before: unknown): string[] {
  const added = lines(text);
  for (const label of added) {
    if (!/^[^\s=][^=\s]*(=.*)?$/.test(label)) throw new Error(`"${label}" is no label; write key or key=value.`);
  }
  return [...(before as readonly string[]), ...added];
}

/** `NAME=value`, one a line. */
export function appendEnvironment(text: string, before: unknown): Record<string, string> {
  const result = { ...(before as Readonly<Record<string, string>>) };
  for (const line of lines(text)) {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    // The text itself may be a secret: it is not shown.
    if (match?.[1] === undefined) throw new Error('An environment variable is written NAME=value.');
    result[match[1]] = match[2] ?? '';
  }
  return result;
}

/** Names or addresses by which others call the daemon, one a line. */
export function appendHosts(text: string, before: unknown): string[] {
  const added = lines(text);
  for (const host of added) {
    if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(host))
      throw new Error(`"${host}" is no host; write name or name:port.`);
  }
  return [...(before as readonly string[]), ...added];
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error('The control plane is a URL that begins with http:// or https://.');
  }
  return text;
}
