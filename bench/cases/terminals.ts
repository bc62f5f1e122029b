import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { BenchContext } from '../context.ts';
import { sleep } from '../context.ts';
import type { RunningDaemon } from '../daemon.ts';
import type { Row } from '../row.ts';
import { quantile } from '../row.ts';

const KEYSTROKES = 300;
/** In a terminal that echoes; none of them means anything to `cat`. */
const KEYS = 'abcdefghijklmnopqrstuvwxyz';
const INTERRUPTS = 10;
const LIMIT_MS = 120_000;
/** How long `yes` has written when it is interrupted. */
const FLOOD_MS = 500;

/** The echo of a key through the daemon's WebSocket. */
export async function keystrokes(context: BenchContext, daemon: RunningDaemon, id: string): Promise<Row[]> {
  context.say(`Typing ${KEYSTROKES} characters…`);
  const socket = terminal(daemon, id, 'exec cat');
  let echoed = '';
  let onEcho: () => void = () => {};
  socket.on('message', (bytes: Buffer) => {
    echoed += bytes.toString();
    onEcho();
  });
  const samples: number[] = [];
  try {
    const closed = closeOf(socket).then(() => Promise.reject(new Error('The terminal closed before all was typed.')));
    closed.catch(() => {});
    await once(socket, 'open');
    for (let number = 0; number < KEYSTROKES; number++) {
      const key = KEYS[number % KEYS.length] ?? 'a';
      echoed = '';
      const seen = new Promise<void>((resolve) => {
        onEcho = () => {
          if (echoed.includes(key)) resolve();
        };
      });
      const began = performance.now();
      socket.send(JSON.stringify({ data: key }));
      await Promise.race([seen, closed]);
      samples.push(performance.now() - began);
      // Nobody types faster.
      await sleep(5);
    }
  } finally {
    socket.terminate();
  }
  const rounds = String(samples.length);
  const at = (q: number): number => quantile(samples, q);
  return [
    {
      name: 'keystroke to its echo through the WebSocket, p50',
      unit: 'ms',
      ours: at(0.5),
      demand: { kind: 'below', value: 10 },
      rounds,
      samples: { ours: samples },
    },
    { name: 'keystroke to its echo through the WebSocket, p99', unit: 'ms', ours: at(0.99), rounds },
  ];
}

/** From Ctrl-C to the news that the program has ended, while it floods the terminal and all of it is read. */
export async function interrupts(context: BenchContext, daemon: RunningDaemon, id: string): Promise<Row[]> {
  context.say(`Interrupting yes ${INTERRUPTS} times…`);
  const samples: number[] = [];
  for (let round = 0; round < INTERRUPTS; round++) {
    const socket = terminal(daemon, id, 'exec yes');
    try {
      const closed = closeOf(socket);
      await once(socket, 'message');
      await sleep(FLOOD_MS);
      const began = performance.now();
      socket.send(JSON.stringify({ data: '\u0003' }));
      const reason = await closed;
      if (!reason.includes('SIGINT')) throw new Error(`The terminal ended otherwise: ${reason}`);
      samples.push(performance.now() - began);
    } finally {
      socket.terminate();
    }
  }
  return [
    {
      name: 'Ctrl-C to the end of a flooding terminal, highest',
      unit: 'ms',
      ours: Math.max(...samples),
      demand: { kind: 'below', value: 1_000 },
      rounds: String(samples.length),
      samples: { ours: samples },
    },
  ];
}

/** Why it closed. Rejects when it breaks, or does not within a while. */
function closeOf(socket: WebSocket): Promise<string> {
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(LIMIT_MS) });
  const reason = closed.then(([, why]) => String(why));
  // Until somebody waits for it.
  reason.catch(() => {});
  return reason;
}

function terminal(daemon: RunningDaemon, id: string, command: string): WebSocket {
  const query = new URLSearchParams({ reconnect: crypto.randomUUID(), width: '80', height: '24', command });
  return new WebSocket(`${daemon.webSocketBase}/devcontainers/${id}/pty?${query.toString()}`);
}
