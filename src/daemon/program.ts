import { Command, CommanderError, Option } from 'commander';
import type { CommandContext, LocationFlags } from './commands/context.ts';
import {
  addEngineOptions,
  addLocationOptions,
  addServeOptions,
  appendEnvironment,
  type ServeFlags,
  usage,
} from './serve-options.ts';

// Only what parsing needs is imported here; each command brings its own code when it runs, so that help is instant.

const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ agentcontainers ${line}`).join('\n')}\n`;

/** Runs one command line (without node and script) and resolves with the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  // Known before parsing, since a parse error is to be JSON as well.
  const end = args.indexOf('--');
  const json = args.slice(0, end < 0 ? args.length : end).includes('--json');
  let exitCode = 0;

  const run =
    <T extends LocationFlags, A extends unknown[]>(
      work: (context: CommandContext, flags: T, ...rest: A) => Promise<number>,
    ) =>
    async (...values: unknown[]): Promise<void> => {
      // Commander passes the arguments, then the options, then the command itself.
      const flags = values.at(-2) as T;
      const { createContext } = await import('./commands/context.ts');
      const context = createContext(flags);
      try {
        exitCode = await work(context, flags, ...(values.slice(0, -2) as A));
      } catch (error) {
        const { exitCodeOf } = await import('./exit-codes.ts');
        context.output.error(error);
        exitCode = exitCodeOf(error);
      }
    };

  const program = createProgram(run, json);
  try {
    await program.parseAsync(args[0] === '--version' || args[0] === '-V' ? ['version'] : args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0 || error.code === 'commander.help') return error.exitCode === 0 ? 0 : 2;
    if (json) {
      const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
      process.stdout.write(`${JSON.stringify({ error: { code: 'invalid-request', message } })}\n`);
    }
    return 2;
  }
}

type Run = <T extends LocationFlags, A extends unknown[]>(
  work: (context: CommandContext, flags: T, ...rest: A) => Promise<number>,
) => (...values: unknown[]) => Promise<void>;

function createProgram(run: Run, json: boolean): Command {
  const program = new Command('agentcontainers')
    .description(
      'Runs coding agents inside dev containers. The commands talk to a daemon; `up` starts one if there is none.',
    )
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('Run with --help to see what is possible.')
    .configureOutput(json ? { outputError: () => {}, writeErr: () => {} } : {})
    .addHelpText(
      'after',
      `${examples('up ~/project', 'list', 'exec project -- npm test', 'logs -f project')}
A dev container is named by its name, its id or a unique beginning of it, or its folder.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict or ambiguous, 5 engine not reachable;
exec passes on the code of its command (126 not executable, 127 not found, 128+n ended by signal n).`,
    );

  const command = (usage: string, description: string, help: string): Command =>
    addLocationOptions(program.command(usage))
      .description(description)
      .option('--json', 'answer in JSON; errors too, as {"error":{"code","message","detail"}} on stdout')
      .addHelpText('after', help);
  const long = (made: Command): Command =>
    made
      .option('--no-wait', 'return as soon as the daemon has accepted it')
      .option('--verbose', 'show every line of the log while waiting');

  addServeOptions(program.command('serve [roots...]'))
    .description(
      'run the daemon in the foreground; roots are folders whose dev containers it acts on (default: this one)',
    )
    .option('--json', 'print what was started as one JSON line')
    .addHelpText(
      'after',
      `${examples('serve ~/projects', 'serve --listen 127.0.0.1:7420 --log-file ~/agentcontainers.log .', 'serve --adopt all --sub-agent ./my-agent')}
Every option has an environment variable, shown above; the flag goes before it.
SIGTERM or Ctrl-C ends it within 10 s; a second one ends it at once.`,
    )
    .action(
      run<ServeFlags & LocationFlags, [string[]]>(async (context, flags, roots) =>
        (await import('./commands/serve.ts')).serve(context, flags, roots),
      ),
    );

  command(
    'list',
    'list the dev containers that the daemon knows',
    examples('list', 'list --json | jq -r ".devcontainers[].name"', 'list --label team=web'),
  )
    .alias('ls')
    .addOption(
      new Option('--label <k=v>', 'only those whose container has this label; repeatable')
        .argParser((text: string, before: string[]) => [...before, text])
        .default([], 'any'),
    )
    .action(
      run<LocationFlags & { label: string[] }, []>(async (context, flags) =>
        (await import('./commands/list.ts')).list(context, flags),
      ),
    );

  long(
    command(
      'up <folder|name>',
      'bring the dev container of a folder up, with its sub-agent; starts a daemon if there is none',
      examples('up .', 'up ~/project --config .devcontainer/gpu/devcontainer.json', 'up project'),
    ),
  )
    .option('--config <path>', 'which devcontainer.json, when the folder has several')
    .action(
      run<LocationFlags & { config?: string; wait: boolean; verbose?: boolean }, [string]>(
        async (context, flags, name) => (await import('./commands/up.ts')).up(context, flags, name),
      ),
    );

  const lifecycle = {
    recreate: ['make its container anew from the configuration as it is now', 'recreate project'],
    start: ['start its container, or make one if there is none', 'start project'],
    stop: ['stop its container and sub-agent; nothing is removed', 'stop project'],
    restart: ['stop and start its container', 'restart project'],
  } as const;
  for (const [action, [description, example]] of Object.entries(lifecycle)) {
    long(command(`${action} <name>`, description, examples(example, `${action} --no-wait .`))).action(
      run<LocationFlags & { wait: boolean; verbose?: boolean }, [string]>(async (context, flags, name) =>
        (await import('./commands/lifecycle.ts')).lifecycle(context, flags, action as keyof typeof lifecycle, name),
      ),
    );
  }

  command(
    'rm <name>',
    'stop and remove its container and sub-agent; the folder is left alone',
    examples('rm project', 'rm --volumes project'),
  )
    .option('--volumes', 'remove its anonymous volumes too')
    .action(
      run<LocationFlags & { volumes?: boolean }, [string]>(async (context, flags, name) =>
        (await import('./commands/remove.ts')).remove(context, flags, name),
      ),
    );

  command('logs <name>', 'print its build and lifecycle log', examples('logs project', 'logs -f project'))
    .option('-f, --follow', 'go on with what is written later')
    .action(
      run<LocationFlags & { follow?: boolean }, [string]>(async (context, flags, name) =>
        (await import('./commands/logs.ts')).logs(context, flags, name),
      ),
    );

  command(
    'exec <name> <command...>',
    'run a command in its container; its output and exit code are passed on',
    `${examples('exec project -- npm test', 'exec -e CI=1 -w /tmp project -- env', 'exec project -- cat < notes.txt', 'tar -c . | agentcontainers exec -i project -- tar -t')}
Standard input is passed on, all of it at once, when it is a file (cat < notes.txt), and with -i whatever it is; without
-i a pipe is not read, since it may never end. With the command it may take 1 MiB; bytes that are not UTF-8 take a third
more.`,
  )
    .passThroughOptions()
    .option('-u, --user <name>', 'run as this user instead of the remote user')
    .option('-w, --workdir <path>', 'run in this folder of the container')
    .addOption(
      new Option('-e, --env <k=v>', 'set a variable; repeatable')
        .argParser(usage(appendEnvironment))
        .default({}, 'none'),
    )
    .option('-i, --stdin', 'pass standard input on to its end, also when it is a pipe')
    .option('--no-stdin', 'do not read standard input, also when it is a file')
    .option('--timeout <duration>', 'give up after this time, such as 30s')
    .action(
      run<LocationFlags & ExecFlags, [string, string[]]>(async (context, flags, name, argv) =>
        (await import('./commands/exec.ts')).exec(context, flags, name, argv),
      ),
    );

  addEngineOptions(
    command(
      'doctor',
      'check the engine, the dev container CLI and this machine, and say what to do',
      `${examples('doctor', 'doctor --json')}
The engine of the daemon that runs is checked first, then the one that these options, or else a search, lead to.`,
    ),
  ).action(
    run<LocationFlags & { dockerHost?: string; dockerContext?: string }, []>(async (context, flags) =>
      (await import('./commands/doctor.ts')).doctor(context, flags),
    ),
  );

  command('version', 'print the version', examples('version', 'version --json')).action(
    run<LocationFlags, []>(async (context) => (await import('./commands/version.ts')).version(context)),
  );
  return program;
}

export interface ExecFlags {
  readonly user?: string;
  readonly workdir?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: only when it is a file. */
  readonly stdin?: boolean;
  readonly timeout?: string;
}
