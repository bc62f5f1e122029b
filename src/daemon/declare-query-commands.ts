import { Option } from 'commander';
import type { LocationFlags } from './commands/context.ts';
import type { ExecFlags } from './commands/exec.ts';
import type { WaitFlags } from './commands/lifecycle.ts';
import { type Declaring, examples } from './declaring.ts';
import { addEngineOptions, appendEnvironment, usage } from './serve-options.ts';

/** Commands that look at dev containers and work in them, without changing what they are. */
export function declareQueryCommands({ command, run }: Declaring): void {
  command(
    'list',
    'list the dev containers that the daemon knows',
    `${examples('list', 'list --json | jq -r ".devcontainers[].name"', 'list --label team=web')}
ATTENTION says: dirty, the configuration is not the one that the container was made from (agentcontainers diff);
untrusted, somebody has to look at what it can do to this machine (agentcontainers trust); config error, with line and
column; busy, somebody uses it.`,
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

  command(
    'diff <name>',
    'show how its configuration differs from the one that its container was made from',
    `${examples('diff project', 'diff --json project')}
Every input with what its change needs: recreate, a new container; rerun-hook, only the command again; live, nothing.
Values of names that sound like secrets are not shown.`,
  ).action(
    run<LocationFlags, [string]>(async (context, flags, name) =>
      (await import('./commands/diff.ts')).diff(context, flags, name),
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
    'operation <id>',
    'show a piece of long work: how it goes, its steps and the time they took',
    `${examples('operation 6f1c5a7e-...', 'operation --follow 6f1c5a7e-...')}
The id is what --no-wait, Ctrl-C while waiting, and --json show. With --follow the exit code is that of the work.`,
  )
    .option('-f, --follow', 'wait until it has ended')
    .option('--verbose', 'with --follow: show every line of its log')
    .action(
      run<Omit<WaitFlags, 'wait'> & { follow?: boolean }, [string]>(async (context, flags, id) =>
        (await import('./commands/operation.ts')).operation(context, flags, id),
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
}
