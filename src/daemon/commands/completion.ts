import type { CompletedShell } from '../completed-shells.ts';
import { EXIT } from '../exit-codes.ts';
import type { CommandContext } from './context.ts';

/** Prints the completion script of a shell; with --json as `{ shell, script }`. */
export async function completion({ output }: CommandContext, shell: CompletedShell): Promise<number> {
  output.result({ shell, script: SCRIPTS[shell] });
  output.line(SCRIPTS[shell].trimEnd());
  return EXIT.ok;
}

// Each asks `agentcontainers __complete` with the words up to the cursor; see complete.ts for its answer. What that says is
// never evaluated.

const BASH = String.raw`# bash completion for agentcontainers
_agentcontainers() {
  local line=${'$'}{COMP_LINE:0:COMP_POINT} current candidate directive= before=
  local -a words
  COMPREPLY=()
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${'$'}{words[${'$'}{#words[@]}-1]}
  # Bash itself takes words apart at these, and completes the last part only.
  [[ $current == *[:=]* ]] && before=${'$'}{current%"${'$'}{current##*[:=]}"}
  while IFS= read -r candidate; do
    case $candidate in
      :*) directive=$candidate ;;
      *) candidate=${'$'}{candidate%%${'$'}'\t'*}; COMPREPLY+=("${'$'}{candidate#"$before"}") ;;
    esac
  done < <(command agentcontainers __complete "${'$'}{words[@]:1}" 2> /dev/null)
  case $directive in
    *files*)
      compopt -o filenames 2> /dev/null
      while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "${'$'}{current#"$before"}") ;;
    *folders*)
      compopt -o filenames 2> /dev/null
      while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -d -- "${'$'}{current#"$before"}") ;;
  esac
  [[ $directive == *nospace* ]] && compopt -o nospace 2> /dev/null
  return 0
}
complete -F _agentcontainers agentcontainers
`;

const ZSH = String.raw`#compdef agentcontainers
_agentcontainers() {
  local line directive=
  local -a values shown typed space
  typed=("${'$'}{(@Q)words[1,CURRENT-1]}" "${'$'}{(Q)PREFIX}")
  while IFS= read -r line; do
    case $line in
      :*) directive=$line ;;
      *)
        values+=("${'$'}{line%%${'$'}'\t'*}")
        shown+=("${'$'}{line/${'$'}'\t'/  -- }") ;;
    esac
  done < <(command agentcontainers __complete "${'$'}{(@)typed[2,-1]}" 2> /dev/null)
  [[ $directive == *nospace* ]] && space=(-S '')
  (( ${'$'}{#values} )) && compadd "${'$'}{space[@]}" -l -d shown -a values
  case $directive in
    *files*) _files ;;
    *folders*) _files -/ ;;
  esac
}
if [[ ${'$'}{funcstack[1]} == _agentcontainers ]]; then
  _agentcontainers "$@"
else
  compdef _agentcontainers agentcontainers
fi
`;

const FISH = String.raw`# fish completion for agentcontainers
function __agentcontainers_complete
    set -l typed (commandline -opc) (commandline -ct)
    for line in (command agentcontainers __complete $typed[2..-1] 2> /dev/null)
        switch $line
            case ':*files*'
                __fish_complete_path (commandline -ct)
            case ':*folders*'
                __fish_complete_directories (commandline -ct)
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c agentcontainers -f -a '(__agentcontainers_complete)'
`;

const SCRIPTS: Readonly<Record<CompletedShell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
