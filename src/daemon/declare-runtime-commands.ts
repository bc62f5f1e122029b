import { type Command, Option } from 'commander';
import type { AttachFlags } from './commands/attach.ts';
import type { LocationFlags } from './commands/context.ts';
import type { ExecFlags } from './commands/exec.ts';
import type { KillFlags } from './commands/kill.ts';
import type { ShellFlags } from './commands/shell.ts';
import { type Declaring, examples } from './declaring.ts';
import { appendEnvironment, usage } from './serve-options.ts';

/** Commands that work with what runs in a container: commands, terminals, files and ports. */
export function declareRuntimeCommands({ command, run }: Declaring): void {
  const asUser = (made: Command): Command =>
    made
      .option('-u, --user <name>', 'run as this user instead of the remote user')
      .option('-w, --workdir <path>', 'run in this folder of the container')
      .addOption(
        new Option('-e, --env <k=v>', 'set a variable; repeatable')
          .argParser(usage(appendEnvironment))
          .default({}, 'none'),
      );

  asUser(
    command(
      'exec <name> <command...>',
      'run a command in its container; its output and exit code are passed on',
      `${examples('exec project -- npm test', 'exec project -- vim notes.txt', 'exec -e CI=1 -w /tmp project -- env', 'exec project -- tar -x < files.tar', 'tar -c . | agentcontainers exec -i project -- tar -t')}
On a terminal the command gets one too; -t and -T decide it otherwise. Without one standard output and standard error stay
apart, to the byte, and Ctrl-C, TERM and HUP go to all that the command has started; the third ends it. Leaving ends it.
Standard input is passed on as it comes when it is a file (tar -x < files.tar) or the command's terminal, and with -i
whatever it is; without -i a pipe is not read, since whoever started this may keep it open for ever.
When the daemon restarts meanwhile, the command goes on, and this waits up to 30 s to find it again; but for input that was on
its way and is lost with it: then the command is ended, and that is said.
With --timeout the exit code is 124 when the time was up. With --json the output comes as JSON lines, without a terminal,
and standard input is sent at once, at most 1 MiB.`,
    ),
  )
    .passThroughOptions()
    .option('-i, --stdin', 'pass standard input on to its end, also when it is a pipe')
    .option('--no-stdin', 'do not read standard input, also when it is a file')
    .option('-t, --tty', 'run it in a terminal, also when this is none')
    .option('-T, --no-tty', 'run it without a terminal')
    .option('--timeout <duration>', 'end it, with all that it has started, after this time, such as 30s')
    .action(
      run<LocationFlags & ExecFlags, [string, string[]]>(async (context, flags, name, argv) =>
        (await import('./commands/exec.ts')).exec(context, flags, name, argv),
      ),
    );

  asUser(
    command(
      'shell <name>',
      "open the user's login shell in its container",
      `${examples('shell project', 'shell -u root project', 'shell --json project')}
Ctrl-P Ctrl-Q leaves it running, and so does a terminal that goes; agentcontainers attach comes back to it, from anywhere
and after a restart of the daemon. exit or Ctrl-D ends it, and its exit code is passed on.
With --json a shell is started and described, and can be attached to.`,
    ),
  ).action(
    run<ShellFlags, [string]>(async (context, flags, name) =>
      (await import('./commands/shell.ts')).shell(context, flags, name),
    ),
  );

  command(
    'attach <name> <process>',
    'come back to a terminal or a command that runs in its container',
    `${examples('attach project 3f2a-7', 'attach --read-only project 3f2a-7', 'attach --json project 3f2a-7')}
The id is what agentcontainers ps shows. What is kept of its output comes first, then what it writes. Several may look at
the same one. Ctrl-P Ctrl-Q leaves it running; so does Ctrl-C, where that is not passed on. Its exit code is passed on.
Standard input goes to a terminal, and with -i to a command that was started with one. With --json the output comes as
JSON lines.`,
  )
    .option('--read-only', 'only look: pass nothing on, and leave its size alone; needs no terminal')
    .option('-i, --stdin', 'pass standard input on, also to what is no terminal')
    .option('--no-stdin', 'do not read standard input')
    .action(
      run<AttachFlags, [string, string]>(async (context, flags, name, process) =>
        (await import('./commands/attach.ts')).attach(context, flags, name, process),
      ),
    );

  command(
    'ps <name>',
    'list the commands and terminals that run in its container',
    `${examples('ps project', 'ps -a project', 'ps --json project | jq -r ".processes[].id"')}
Shown is what was started through the daemon. KIND says: exec, somebody waits for it; terminal; background. STATE of what has
ended is its exit code or signal, with the reason when that is another one: timeout, killed, oom (no memory left) or lost;
background: its children still run.`,
  )
    .option('-a, --all', 'also what has ended and is still kept')
    .action(
      run<LocationFlags & { all?: boolean }, [string]>(async (context, flags, name) =>
        (await import('./commands/ps.ts')).ps(context, flags, name),
      ),
    );

  command(
    'kill <name> <process>',
    'end a command with all that it has started',
    `${examples('kill project 3f2a-7', 'kill --grace 10s project 3f2a-7', 'kill --signal INT project 3f2a-7')}
The id is what agentcontainers ps shows. All of its processes get TERM, and after the grace KILL, also those that have
detached themselves. What could not be ended is named, and the exit code is 1 then.`,
  )
    .option('--signal <name>', 'send this one signal to the command alone, and wait for nothing')
    .option('--grace <duration>', 'time between TERM and KILL (default: 2s)')
    .action(
      run<KillFlags, [string, string]>(async (context, flags, name, process) =>
        (await import('./commands/kill.ts')).kill(context, flags, name, process),
      ),
    );

  command(
    'cp <from> <to>',
    'copy files and folders between this machine and its container',
    `${examples('cp notes.txt project:', 'cp project:/var/log/app.log .', 'cp src project:/tmp/src', 'cp project:dist/. ./dist', 'cp project:data.json - | jq .', 'date | agentcontainers cp - project:/tmp/now')}
One end is <name>:<path>, relative to the workspace folder of the container; - is standard input or output. Into a folder
that is there the name is kept, as cp does; folder/. means what is in it. Files are there whole or not at all. Links are
left out with a note, and never followed outside of the target. A path of this machine with a colon is written ./a:b.
The exit code is 1 when a part could not be copied.`,
  ).action(
    run<LocationFlags, [string, string]>(async (context, flags, from, to) =>
      (await import('./commands/cp.ts')).cp(context, flags, from, to),
    ),
  );

  command(
    'ports <name>',
    'list what listens in its container, and the forwards that lead there',
    `${examples('ports project', 'ports --json project')}
Nothing has to be published for that. agentcontainers forward makes one of them reachable from this machine.`,
  ).action(
    run<LocationFlags, [string]>(async (context, flags, name) =>
      (await import('./commands/ports.ts')).ports(context, flags, name),
    ),
  );

  command(
    'forward <name> [address]',
    'make a port of its container reachable from this machine; without an address list the forwards',
    `${examples('forward project 3000', 'forward project 8080:3000', 'forward project db:5432', 'forward project 15432:db:5432', 'forward project', 'forward --end project 8080')}
The address is <port>, <host>:<port>, <hostPort>:<port> or <hostPort>:<host>:<port>; a host is one as seen from the container.
Nothing has to be published for that, and a server bound to 127.0.0.1 there is reached too. It listens on 127.0.0.1 only, on
the same port when that is free and above 1023, and stays over a recreate and a restart of the daemon until it is ended. Printed is the
address to use.`,
  )
    .option('--end', 'end the forward with this id, or with this port on this machine')
    .action(
      run<LocationFlags & { end?: boolean }, [string, string | undefined]>(async (context, flags, name, address) =>
        (await import('./commands/forward.ts')).forward(context, flags, name, address),
      ),
    );
}
