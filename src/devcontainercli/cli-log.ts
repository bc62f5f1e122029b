import { z } from 'zod';

import { isHook, type Hook } from './wait-for.ts';

/** One line of the CLI's standard error, understood. */
export type CliLogEvent =
  /** `raw` is output of a command, cut anywhere; `text` is a message of the CLI. `inHook`: it belongs to a lifecycle hook. */
  | { readonly type: 'text' | 'raw'; readonly level: number; readonly text: string; readonly inHook: boolean }
  | { readonly type: 'start' | 'stop'; readonly level: number; readonly text: string; readonly inHook: boolean }
  | {
      readonly type: 'hook';
      readonly hook: Hook;
      readonly status: 'running' | 'succeeded' | 'failed';
      readonly detail: string | undefined;
    }
  /** Not a log line: a stack trace, a warning of the runtime, a line that was too long. */
  | { readonly type: 'noise'; readonly text: string };

const channel = z.string().optional().catch(undefined);
const logLine = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['text', 'raw']), level: z.number().catch(3), text: z.string(), channel }),
  z.object({ type: z.enum(['start', 'stop']), level: z.number().catch(3), text: z.string(), channel }),
  z.object({
    type: z.literal('progress'),
    name: z.string(),
    status: z.enum(['running', 'succeeded', 'failed']),
    stepDetail: z.string().optional().catch(undefined),
  }),
]);

/** Never throws. Lines of a kind that is not known yet are noise. */
export function parseLogLine(line: string): CliLogEvent {
  const parsed = line.startsWith('{') ? logLine.safeParse(json(line)) : undefined;
  if (parsed?.success !== true) return { type: 'noise', text: line };
  const event = parsed.data;
  switch (event.type) {
    case 'text':
    case 'raw':
      return { type: event.type, level: event.level, text: event.text, inHook: event.channel === 'postCreate' };
    case 'start':
    case 'stop':
      return { type: event.type, level: event.level, text: event.text, inHook: event.channel === 'postCreate' };
    case 'progress': {
      const hook = /^Running (\w+)\.\.\.$/.exec(event.name)?.[1];
      if (!isHook(hook)) return { type: 'noise', text: line };
      return { type: 'hook', hook, status: event.status, detail: event.stepDetail };
    }
  }
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
