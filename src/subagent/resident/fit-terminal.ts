// INVARIANTS
// - Of several that fit one terminal at the same time each sees the size that the one before it has left.
import { isAgentContainersError } from '../../errors.ts';
import { readOutput, readProcess, resizeProcess } from './processes.ts';
import type { ResidentAgent } from './resident-agent.ts';

/** For the program to see the one size before it gets the other: programs that find the size unchanged draw nothing. */
const DRAWN_MS = 300;

const lanes = new WeakMap<ResidentAgent, Map<string, Promise<void>>>();

/**
 * Gives a terminal a size; what is not given stays. With `mustRedraw` its program is made to draw all of its screen, by
 * another size that it has for a moment. What has ended is left alone.
 */
export function fitTerminal(
  agent: ResidentAgent,
  id: string,
  size: { readonly width?: number | undefined; readonly height?: number | undefined },
  mustRedraw: boolean,
): Promise<void> {
  const lane = lanes.get(agent) ?? new Map<string, Promise<void>>();
  lanes.set(agent, lane);
  const done = (lane.get(id) ?? Promise.resolve()).then(() => fit(agent, id, size, mustRedraw));
  const settled = done
    .catch(() => {})
    .then(() => {
      if (lane.get(id) === settled) lane.delete(id);
    });
  lane.set(id, settled);
  return done;
}

async function fit(...[agent, id, size, mustRedraw]: Parameters<typeof fitTerminal>): Promise<void> {
  try {
    const { running, tty, output } = await readProcess(agent, id, undefined, undefined);
    if (!running || !tty) return;
    const wanted = { width: size.width ?? tty.width, height: size.height ?? tty.height };
    const isSame = wanted.width === tty.width && wanted.height === tty.height;
    if (isSame && !mustRedraw) return;
    if (isSame) {
      await resizeProcess(agent, id, { ...wanted, height: wanted.height > 1 ? wanted.height - 1 : 2 });
      // Whatever happens to this question, the size goes back.
      await written(agent, id, output.end).catch(() => {});
    }
    await resizeProcess(agent, id, wanted);
  } catch (error) {
    // It may have ended just now.
    if (!isAgentContainersError(error, 'command-refused') && !isAgentContainersError(error, 'process-not-found')) {
      throw error;
    }
  }
}

/** Waits for output from this offset on, at most a moment. */
async function written(agent: ResidentAgent, id: string, offset: number): Promise<void> {
  const query = { offset, waitMs: DRAWN_MS, limit: 1 };
  for await (const chunk of readOutput(agent, id, query)) if (chunk.bytes.length > 0) return;
}
