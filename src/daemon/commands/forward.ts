import { AgentContainersError } from '../../errors.ts';
import type { WireForward, WireForwards } from '../../http/runtime-wire-schemas.ts';
import type { WireDevcontainer } from '../../http/wire-schemas.ts';
import type { DaemonClient } from '../client/client.ts';
import { EXIT } from '../exit-codes.ts';
import { explainTo } from '../output/explain.ts';
import { plainText } from '../output/plain-text.ts';
import { renderTable, type TableColumn } from '../output/table.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { parseForwardTarget } from './forward-target.ts';

const COLUMNS: readonly TableColumn[] = [
  { title: 'ID' },
  { title: 'ADDRESS' },
  { title: 'LEADS TO', shrink: 1, minWidth: 12 },
  { title: 'STATUS', shrink: 2, minWidth: 12 },
];

/** Lists forwards, makes one to `what`, or ends the one that `what` names by its id or port on this machine. */
export async function forward(
  context: CommandContext,
  flags: LocationFlags & { readonly end?: boolean },
  name: string,
  what: string | undefined,
): Promise<number> {
  const target = what === undefined || flags.end === true ? undefined : parseForwardTarget(what);
  if (flags.end === true && what === undefined) {
    throw new AgentContainersError(
      'invalid-request',
      'Ending a forward failed: which one is not said. Give its id or its port on this machine.',
    );
  }
  const entry = await findDevcontainer(context.client, name);
  if (what === undefined) return list(context, entry);
  return target === undefined ? end(context, entry, what) : begin(context, entry, target);
}

async function begin(
  { client, output }: CommandContext,
  entry: WireDevcontainer,
  target: ReturnType<typeof parseForwardTarget>,
): Promise<number> {
  const path = `${devcontainerPath(entry.id)}/forwards`;
  const made = (await client.send({ method: 'POST', path, body: target })).body as WireForward;
  output.result(made);
  const name = plainText(entry.name);
  if (made.status === 'failed') {
    const why = plainText(made.error ?? 'nobody knows why').replace(/\.$/, '');
    explainTo(output).error(
      `Listening on 127.0.0.1:${made.host_port} failed: ${why}. End it with: agentcontainers forward --end ${name} ${plainText(made.id)}`,
    );
    return EXIT.failed;
  }
  output.line(addressOf(made));
  output.note(
    `It leads to ${plainText(targetOf(made))} as seen from ${name}, also after a recreate. End it with: agentcontainers forward --end ${name} ${plainText(made.id)}`,
  );
  return EXIT.ok;
}

async function list({ client, output }: CommandContext, entry: WireDevcontainer): Promise<number> {
  const forwards = await listForwards(client, devcontainerPath(entry.id));
  output.result({ id: entry.id, name: entry.name, forwards });
  if (forwards.length === 0) {
    output.line(`Nothing is forwarded to ${plainText(entry.name)}.`);
    return EXIT.ok;
  }
  const { green, red } = output.colors;
  const rows = forwards.map((one) => [
    one.id,
    addressOf(one),
    targetOf(one),
    one.status === 'failed'
      ? { text: `failed: ${one.error ?? 'nobody knows why'}`, paint: red }
      : { text: one.status, paint: green },
  ]);
  for (const line of renderTable(COLUMNS, rows, output.width, output.colors.bold)) output.line(line);
  return EXIT.ok;
}

async function end({ client, output }: CommandContext, entry: WireDevcontainer, what: string): Promise<number> {
  const base = devcontainerPath(entry.id);
  const forwards = await listForwards(client, base);
  const found = forwards.find(({ id }) => id === what) ?? forwards.find((one) => String(one.host_port) === what);
  if (found === undefined) {
    throw new AgentContainersError(
      'forward-not-found',
      `Ending forward "${what}" failed: ${entry.name} has none with this id or port.`,
      { details: { detail: `\`agentcontainers forward ${entry.name}\` shows all.` } },
    );
  }
  await client.send({ method: 'DELETE', path: `${base}/forwards/${encodeURIComponent(found.id)}` });
  output.result(found);
  output.line(`${addressOf(found)} leads to ${plainText(targetOf(found))} no more.`);
  return EXIT.ok;
}

export async function listForwards(client: DaemonClient, base: string): Promise<readonly WireForward[]> {
  return ((await client.send({ method: 'GET', path: `${base}/forwards` })).body as WireForwards).forwards;
}

/** Without a scheme: what is spoken there is not known. */
export function addressOf({ host_port: port }: WireForward): string {
  return `127.0.0.1:${port}`;
}

function targetOf({ host, port }: WireForward): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
