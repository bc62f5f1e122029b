import { Command, CommanderError } from 'commander';
import type { CommandContext, LocationFlags } from './commands/context.ts';
import { declareLifecycleCommands, withVolumesValue } from './declare-lifecycle-commands.ts';
import { declareQueryCommands } from './declare-query-commands.ts';
import { declareRuntimeCommands } from './declare-runtime-commands.ts';
import { type Declaring, examples, type Run } from './declaring.ts';
import { addLocationOptions, addServeOptions, type ServeFlags } from './serve-options.ts';

// Only what parsing needs is imported here; each command brings its own code when it runs, so that help is instant.

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
  if (args[0] === '__complete') return (await import('./commands/complete.ts')).complete(program, args.slice(1));
  try {
    const isVersion = args[0] === '--version' || args[0] === '-V';
    await program.parseAsync(isVersion ? ['version'] : withVolumesValue(args), { from: 'user' });
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
      `${examples('up ~/project', 'list', 'exec project -- npm test', 'shell project', 'forward project 3000', 'logs -f project')}
A dev container is named by its name, its id or a unique beginning of it, or its folder.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict, ambiguous, busy or not trusted,
5 engine not reachable, 130 not waited for any more (Ctrl-C);
exec, shell and attach pass on the code of the command (126 not executable, 127 not found, 124 time was up, 128+n ended by
signal n).`,
    );

  const command = (usage: string, description: string, help: string): Command =>
    addLocationOptions(program.command(usage))
      .description(description)
      .option('--json', 'answer in JSON; errors too, as {"error":{"code","message","detail","next"}} on stdout')
      .addHelpText('after', help);
  const longCommand = (usage: string, description: string, help: string): Command =>
    command(usage, description, help)
      .option('--no-wait', 'return as soon as the daemon has accepted it')
      .option('--verbose', 'show every line of the log while waiting');
  const declaring: Declaring = { run, command, longCommand };

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

  program.commandsGroup('Dev containers:');
  declareLifecycleCommands(declaring);
  program.commandsGroup('Working in them:');
  declareRuntimeCommands(declaring);
  program.commandsGroup('Looking:');
  declareQueryCommands(declaring);
  return program;
}
