import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Shell = 'bash' | 'zsh' | 'fish';

export interface CompletedLine {
  readonly shell: Shell;
  /** The completion script. */
  readonly script: string;
  /** What runs as `agentcontainers`: a shell script. */
  readonly program: string;
  /** Empty, or of this test alone; the shell works in its folder `here`. */
  readonly folder: string;
  /** What is typed; the cursor is at its end. */
  readonly line: string;
}

/**
 * What a real shell offers for a line, without descriptions, in its order, and the line after the key for completion: of
 * zsh, which is run in a terminal; empty for the others. `undefined`: there is no such shell here.
 */
export async function completeInShell(
  completed: CompletedLine,
): Promise<{ readonly offered: string[]; readonly line: string } | undefined> {
  const { shell, folder } = completed;
  const bin = join(folder, 'bin');
  await Promise.all([bin, join(folder, 'here')].map((path) => mkdir(path, { recursive: true })));
  await writeFile(join(bin, 'agentcontainers'), completed.program);
  await chmod(join(bin, 'agentcontainers'), 0o755);
  await writeFile(join(folder, 'script'), completed.script);
  await writeFile(join(folder, 'drive'), DRIVERS[shell]);
  const env = { HOME: folder, PATH: `${bin}:${process.env['PATH']}`, TERM: 'dumb', LC_ALL: 'C.UTF-8' };
  const args = [...OPTIONS[shell], join(folder, 'drive'), completed.line, folder];
  const text = await new Promise<string | undefined>((resolve, reject) => {
    execFile(shell, args, { cwd: join(folder, 'here'), env, timeout: 50_000 }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') resolve(undefined);
      else if (error === null && stderr === '') resolve(stdout);
      else reject(error ?? new Error(stderr));
    });
  });
  if (text === undefined) return undefined;
  const [list = '', line = ''] = text.split('\0');
  const offered = list.split('\n').filter((one) => one !== '');
  return { offered, line };
}

/** Says aloud that something is not tested. */
export function tellMissing(shell: Shell): string {
  const message = `${shell} is not installed: its completion is not tested`;
  console.warn(`\n${message.toUpperCase()}\n`);
  return message;
}

const OPTIONS: Readonly<Record<Shell, readonly string[]>> = {
  bash: ['--norc', '--noprofile'],
  zsh: ['-f'],
  fish: ['--no-config'],
};

// What each does with the line, $1, and the folder, $2: prints what is offered, a NUL, and what the line has become.

const BASH = String.raw`source "$2/script"
[ "$(complete -p agentcontainers)" = 'complete -F _agentcontainers agentcontainers' ] || exit 9
# Outside of a completion it fails.
compopt() { :; }
COMP_LINE=$1 COMP_POINT=${'$'}{#1}
_agentcontainers
printf '%s\n' "${'$'}{COMPREPLY[@]}"
`;

const FISH = String.raw`source $argv[2]/script
for line in (complete -C $argv[1])
    string replace -r '\t.*' '' -- $line
end
exit 0
`;

// Completion works in the line editor alone, which needs a terminal.
const ZSH = String.raw`zmodload zsh/zpty
open='[[' close=']]'
zpty -b shell 'zsh -f -i'
await() {
  local piece all=
  integer round=0
  while (( round++ < 400 )); do
    if zpty -r -t shell piece; then
      all+=$piece
      [[ $all == *"$1"* ]] && break
    else
      sleep 0.05
    fi
  done
  REPLY=$all
}
quoted=${'$'}{(q)2}
zpty -w shell "stty -echo cols 250 rows 100; PS1= PS2= RPS1= LISTMAX=0; unsetopt beep list_beep prompt_cr prompt_sp list_types; cd $quoted/here"
zpty -w shell "autoload -Uz compinit; compinit -u -D; source $quoted/script"
zpty -w shell 'told() { print -rn -- $'\''\n'\''"[[$BUFFER]]" }; zle -N told; bindkey "^B" told; bindkey "^T" list-choices; bindkey "^O" complete-word'
zpty -w shell 'print BE""GIN'
await BEGIN
zpty -w -n shell "$1"${'$'}'\x14\x02'
await $close
list=${'$'}{REPLY%%${'$'}open*}
zpty -w -n shell ${'$'}'\x0f\x02'
await $close
zpty -d shell
for line in "${'$'}{(@f)${'$'}{list//${'$'}'\r'/}}"; do
  # Escapes of the terminal, then the description. The line itself is shown too.
  line=${'$'}{line//${'$'}'\e'\[[0-9;?]#[A-Za-z]/}
  [[ $line == *"$1" ]] || print -r -- "${'$'}{line%%  -- *}"
done
after=${'$'}{REPLY#*$open}
print -rn -- ${'$'}'\0'"${'$'}{after%%$close*}"
`;

const DRIVERS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
