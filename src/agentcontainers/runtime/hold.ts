import { plainLine } from '../../text/plain-text.ts';
import type { CommandSpec } from '../ports.ts';
import type { Runtime } from './runtime.ts';

const LONGEST_DESCRIPTION = 80;

/** A recreate is held off from now on, until the returned function is called. Shows the program, not its arguments. */
export function hold(rt: Runtime, id: string, { argv, command, tty }: CommandSpec): () => void {
  const holderId = rt.ports.newId();
  const program = argv?.[0] ?? command?.trim().split(/\s/)[0] ?? '';
  rt.store.dispatch({
    type: 'holderCame',
    id,
    holder: {
      id: holderId,
      kind: tty ? 'terminal' : 'exec',
      description: plainLine(program).slice(0, LONGEST_DESCRIPTION),
      since: rt.ports.clock.now(),
    },
  });
  let isHeld = true;
  return () => {
    if (isHeld) rt.store.dispatch({ type: 'holderLeft', id, holderId });
    isHeld = false;
  };
}
