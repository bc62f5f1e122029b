import { Argument, Option } from 'commander';
import { COMPLETED_SHELLS, type CompletedShell } from './completed-shells.ts';
import type { LocationFlags } from './commands/context.ts';
import type { WaitFlags } from './commands/lifecycle.ts';
import { type Declaring, examples } from './declaring.ts';
import { addEngineOptions } from './serve-options.ts';

/** Commands that look at dev containers, and at what this machine has for them. */
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

  command(
    'completion',
    'print a script that completes commands, options and names in your shell',
    `${examples('completion bash >> ~/.bash_completion', 'completion zsh > "${fpath[1]}/_agentcontainers"', 'completion fish > ~/.config/fish/completions/agentcontainers.fish')}
To try it: source <(agentcontainers completion bash). Names and ids come from the daemon that runs; without one they are left
out.`,
  )
    .addArgument(new Argument('<shell>').choices(COMPLETED_SHELLS))
    .action(
      run<LocationFlags, [CompletedShell]>(async (context, _flags, shell) =>
        (await import('./commands/completion.ts')).completion(context, shell),
      ),
    );
}
