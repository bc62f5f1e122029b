import type { WireProcess } from '../../http/runtime-wire-schemas.ts';
import { formatDuration } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import { renderTable, type TableCell, type TableColumn } from '../output/table.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { commandText, listProcesses } from './process-list.ts';

const COLUMNS: readonly TableColumn[] = [
  { title: 'ID' },
  { title: 'PID' },
  { title: 'KIND' },
  { title: 'STARTED' },
  { title: 'STATE', shrink: 1, minWidth: 10 },
  { title: 'COMMAND', shrink: 2, minWidth: 16 },
];

/** Lists what was started through the daemon in a container and runs there. */
export async function ps(
  { client, output }: CommandContext,
  flags: LocationFlags & { readonly all?: boolean },
  name: string,
  now: () => number = Date.now,
): Promise<number> {
  const entry = await findDevcontainer(client, name);
  const all = await listProcesses(client, devcontainerPath(entry.id));
  const processes = all.filter(({ running }) => running || flags.all === true);
  output.result({ id: entry.id, name: entry.name, processes });
  if (processes.length === 0) {
    const ended =
      all.length === 0 ? '' : ` \`agentcontainers ps -a ${plainText(entry.name)}\` also shows what has ended.`;
    output.line(`Nothing that was started here runs in ${plainText(entry.name)}.${ended}`);
    return EXIT.ok;
  }
  const rows = processes.toSorted(byStart).map((process) => row(process, output, now()));
  for (const line of renderTable(COLUMNS, rows, output.width, output.colors.bold)) output.line(line);
  const stalled = processes.find((process) => isStalled(process));
  if (stalled) {
    output.note(
      `Stalled: its output is full, and nobody reads it. It goes on while somebody does: agentcontainers attach ${plainText(entry.name)} ${stalled.id}`,
    );
  }
  if (processes.some(({ via }) => via === 'engine')) {
    output.note('No resident runs in this container: what is listed is known only as long as the daemon runs.');
  }
  return EXIT.ok;
}

function byStart(one: WireProcess, other: WireProcess): number {
  return Date.parse(one.started_at) - Date.parse(other.started_at);
}

function row(process: WireProcess, { colors }: Output, now: number): (string | TableCell)[] {
  const state = stateOf(process);
  return [
    process.id,
    process.pid === undefined ? '-' : String(process.pid),
    process.kind,
    // The clock of the container's machine may be a little ahead.
    `${formatDuration(Math.max(0, now - Date.parse(process.started_at)))} ago`,
    { text: state, paint: paintOf(process, colors) },
    commandText(process),
  ];
}

const isStalled = ({ running, output }: WireProcess): boolean => running && output.stalled === true;

function paintOf(process: WireProcess, colors: Output['colors']): TableCell['paint'] {
  if (isStalled(process)) return colors.yellow;
  if (process.running) return colors.green;
  return process.exit?.code === 0 ? colors.dim : colors.red;
}

/** E.g. `running`, `stalled`, `exit 1`, `SIGKILL (oom)`, `timeout`. */
export function stateOf(process: WireProcess): string {
  const { running, exit } = process;
  if (running) return isStalled(process) ? 'stalled' : 'running';
  if (exit === undefined) return 'ended';
  const how = exit.signal ?? (exit.code === null ? 'ended' : `exit ${exit.code}`);
  const why = exit.reason === 'exit' || exit.reason === 'signal' ? [] : [exit.reason];
  const held = exit.background_held ? ['background'] : [];
  const notes = [...why, ...held];
  return notes.length === 0 ? how : `${how} (${notes.join(', ')})`;
}
