import type { WireForward, WirePorts } from '../../http/runtime-wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../output/plain-text.ts';
import { renderTable, type TableCell, type TableColumn } from '../output/table.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { addressOf, listForwards } from './forward.ts';

type ListeningPort = WirePorts['ports'][number];

const COLUMNS: readonly TableColumn[] = [
  { title: 'PORT' },
  { title: 'ADDRESS' },
  { title: 'PROGRAM', shrink: 1 },
  { title: 'PROCESS' },
  { title: 'FORWARD' },
];
/** What a forward to it reaches. */
const LOCAL = new Set(['127.0.0.1', '0.0.0.0', '::', '::1', 'localhost']);

/** Lists what listens in a container, and how it can be reached from here. */
export async function ports({ client, output }: CommandContext, _flags: LocationFlags, name: string): Promise<number> {
  const entry = await findDevcontainer(client, name);
  const base = devcontainerPath(entry.id);
  const [{ body }, forwards] = await Promise.all([
    client.send({ method: 'GET', path: `${base}/ports` }),
    listForwards(client, base),
  ]);
  const { ports: listening } = body as WirePorts;
  output.result({ id: entry.id, name: entry.name, ports: listening, forwards });

  const title = plainText(entry.name);
  const others = forwards.filter((forward) => !listening.some((port) => leadsTo(forward, port)));
  if (listening.length === 0 && others.length === 0) {
    output.line(`Nothing listens in ${title}.`);
    return EXIT.ok;
  }
  const { dim, red, green } = output.colors;
  const cell = (found: readonly WireForward[]): TableCell => ({
    text: found.map(addressText).join(', ') || '-',
    paint: found.length === 0 ? dim : found.some(({ status }) => status === 'failed') ? red : green,
  });
  const rows = [
    ...listening
      .toSorted((a, b) => a.port - b.port || a.family - b.family)
      .map((port) => [
        String(port.port),
        port.address,
        programText(port),
        port.process ?? '-',
        cell(forwards.filter((forward) => leadsTo(forward, port))),
      ]),
    // Nothing listens there now, or it is not in this container.
    ...others.map((forward) => [String(forward.port), forward.host, '-', '-', cell([forward])]),
  ];
  for (const line of renderTable(COLUMNS, rows, output.width, output.colors.bold)) output.line(line);
  const free = listening.find((port) => !forwards.some((forward) => leadsTo(forward, port)));
  if (free !== undefined) output.note(`Reach one from here with: agentcontainers forward ${title} ${free.port}`);
  return EXIT.ok;
}

function leadsTo(forward: WireForward, { port, address }: ListeningPort): boolean {
  return forward.port === port && (forward.host === address || (LOCAL.has(forward.host) && LOCAL.has(address)));
}

function addressText(forward: WireForward): string {
  return forward.status === 'failed' ? `failed: ${forward.error ?? 'for no known reason'}` : addressOf(forward);
}

function programText({ name, pid }: ListeningPort): string {
  if (name === undefined) return pid === undefined ? '-' : String(pid);
  return pid === undefined ? name : `${name} (${pid})`;
}
