import { Argument, Option } from 'commander';
import type { VolumesOption } from '../agentcontainers/api.ts';
import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';
import type { WaitFlags } from './commands/lifecycle.ts';
import type { RemoveFlags } from './commands/remove.ts';
import type { TrustFlags } from './commands/trust.ts';
import type { UpFlags } from './commands/up.ts';
import { type Declaring, examples } from './declaring.ts';

export const VOLUMES: readonly VolumesOption[] = ['none', 'anonymous', 'named'];

/** Commands that change dev containers. */
export function declareLifecycleCommands({ command, longCommand, run }: Declaring): void {
  longCommand(
    'up <folder|name>',
    'bring the dev container of a folder up, with its sub-agent; starts a daemon if there is none',
    `${examples('up .', 'up ~/project --config .devcontainer/gpu/devcontainer.json', 'up project', 'up --trust ~/my-own-project')}
What a configuration asks of this machine (mounts, privileges, …) has to be accepted first, with \`agentcontainers trust\`
or with --trust. Where that is only an initializeCommand it is brought up without it.`,
  )
    .option('--config <path>', 'which devcontainer.json, when the folder has several')
    .option('--trust', 'show what it can do to this machine and accept it; only for folders whose content you know')
    .action(
      run<UpFlags, [string]>(async (context, flags, name) =>
        (await import('./commands/up.ts')).up(context, flags, name),
      ),
    );

  const lifecycle = {
    recreate: [
      'make its container anew from the configuration as it is now',
      'recreate project',
      `The new one is built first; if it does not come up, the container from before is started again. While somebody uses it
(a command, a terminal, a sub-agent that is busy) it is refused; --force cuts them off.`,
    ],
    start: ['start its container, or make one if there is none', 'start project', ''],
    stop: ['stop its container and sub-agent; nothing is removed', 'stop project', ''],
    restart: ['stop and start its container', 'restart project', ''],
  } as const;
  for (const [action, [description, example, help]] of Object.entries(lifecycle)) {
    const made = longCommand(
      `${action} <name>`,
      description,
      `${examples(example, `${action} --no-wait .`)}${help && `\n${help}`}`,
    );
    if (action === 'recreate') made.option('--force', 'also while somebody uses it');
    made.action(
      run<WaitFlags & { force?: boolean }, [string]>(async (context, flags, name) =>
        (await import('./commands/lifecycle.ts')).lifecycle(context, flags, action as keyof typeof lifecycle, name),
      ),
    );
  }

  longCommand(
    'rerun-hook <name>',
    'run a lifecycle command of its configuration again in its container',
    `${examples('rerun-hook project postCreateCommand')}
After a change that \`agentcontainers diff\` calls "rerun-hook", or when the command had failed. No new container is made.`,
  )
    .addArgument(new Argument('<hook>').choices(HOOK_NAMES))
    .action(
      run<WaitFlags, [string, string]>(async (context, flags, name, hook) =>
        (await import('./commands/rerun-hook.ts')).rerunHook(context, flags, name, hook),
      ),
    );

  command(
    'rm <name>',
    'stop and remove its container and sub-agent; the folder is left alone',
    `${examples('rm project', 'rm --dry-run --volumes=named project', 'rm --volumes project')}
Volumes hold data and stay, unless --volumes says so: anonymous ones of the container, or also those that its compose
project named. --dry-run says which that would be.`,
  )
    .addOption(
      new Option('--volumes [which]', 'remove volumes too; without a value the anonymous ones').choices(VOLUMES),
    )
    .option('--dry-run', 'only say what would go')
    .action(
      run<RemoveFlags, [string]>(async (context, flags, name) =>
        (await import('./commands/remove.ts')).remove(context, flags, name),
      ),
    );

  command(
    'trust <name>',
    'show what its configuration can do to this machine, and accept it',
    `${examples('trust project', 'trust --yes project', 'trust --revoke project')}
Lines with + are new since it was accepted last, lines with - are gone. What is accepted counts as long as it stays the
same: a change of the configuration asks again. Without a terminal nothing is asked, and nothing accepted without --yes
or --hash; the exit code is 4 then.`,
  )
    .addOption(new Option('--yes', 'accept what is shown, without a question').conflicts('revoke'))
    .option('--hash <hash>', 'accept exactly what has this hash, as shown before')
    .option('--revoke', 'take it back; what runs goes on')
    .action(
      run<TrustFlags, [string]>(async (context, flags, name) =>
        (await import('./commands/trust.ts')).trust(context, flags, name),
      ),
    );
}

/**
 * `--volumes` without a value, before a name: commander would take the name for the value.
 * @param args the whole command line
 */
export function withVolumesValue(args: readonly string[]): readonly string[] {
  const isValue = (arg: string | undefined): boolean => VOLUMES.some((one) => one === arg);
  if (args[0] !== 'rm') return args;
  return args.map((arg, index) => (arg === '--volumes' && !isValue(args[index + 1]) ? '--volumes=anonymous' : arg));
}
