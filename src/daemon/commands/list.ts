import type { WireDevcontainer, WireList } from '../../http/wire-schemas.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import { renderTable, type TableCell, type TableColumn } from '../output/table.ts';
import type { CommandContext, LocationFlags } from './context.ts';

const COLUMNS: readonly TableColumn[] = [
  { title: 'NAME', shrink: 1, minWidth: 12 },
  { title: 'STATUS' },
  { title: 'ATTENTION' },
  { title: 'AGENT' },
  { title: 'CONTAINER', shrink: 3, minWidth: 12 },
  { title: 'FOLDER', shrink: 2, minWidth: 16 },
];

export async function list(
  { client, output }: CommandContext,
  flags: LocationFlags & { readonly label: readonly string[] },
): Promise<number> {
  const query = new URLSearchParams(flags.label.map((label): [string, string] => ['label', label]));
  const { body } = await client.send({ method: 'GET', path: flags.label.length > 0 ? `/?${query.toString()}` : '/' });
  const answer = body as WireList;
  output.result(answer);
  printList(output, answer);
  return 0;
}

function printList(output: Output, { devcontainers, warnings }: WireList): void {
  if (devcontainers.length === 0) {
    output.line('No dev containers. Bring one up with `agentcontainers up <folder>`.');
  } else {
    const rows = devcontainers.map((entry) => devcontainerRow(entry, output));
    for (const line of renderTable(COLUMNS, rows, output.width, output.colors.bold)) output.line(line);
    for (const entry of devcontainers) {
      for (const trouble of troublesOf(entry)) {
        output.line(`${output.colors.red('!')} ${plainText(entry.name)}: ${plainText(trouble)}`);
      }
    }
    const seen = devcontainers.filter(({ level }) => level === 'seen').map(({ name }) => plainText(name));
    const untrusted = devcontainers.filter(({ trusted, verdict }) => verdict !== undefined && !trusted);
    if (untrusted[0] !== undefined) {
      output.note(`Look at what an untrusted one can do: agentcontainers trust ${plainText(untrusted[0].name)}`);
    }
    if (seen.length > 0) {
      output.note(
        `Only listed, since they lie under no root: ${seen.join(', ')}. Adopt one: agentcontainers up <folder>`,
      );
    }
  }
  for (const warning of warnings ?? []) output.note(`${output.errorColors.yellow('warning:')} ${plainText(warning)}`);
}

function troublesOf({ error, config_error: config, config_path: path }: WireDevcontainer): string[] {
  return [
    ...(error === undefined ? [] : [error]),
    ...(config === undefined ? [] : [`${path}:${config.line}:${config.column}: ${config.message}`]),
  ];
}

/** What a person may want to look at, in a word each. */
function attentionOf({ dirty, trusted, verdict, busy, status, error, config_error: config }: WireDevcontainer): string {
  return [
    // As after a hook that failed: it runs, and is not all that it should be. The status says the rest.
    ...(error !== undefined && status !== 'error' ? ['failed'] : []),
    ...(dirty ? ['dirty'] : []),
    // Before its configuration was read there is nothing to be trusted.
    ...(verdict !== undefined && !trusted ? ['untrusted'] : []),
    ...(config === undefined ? [] : [`config error ${config.line}:${config.column}`]),
    ...(busy ? ['busy'] : []),
  ].join(', ');
}

function devcontainerRow(entry: WireDevcontainer, output: Output): (string | TableCell)[] {
  const { green, yellow, red, dim } = output.colors;
  const attention = attentionOf(entry);
  const statusPaint = { running: green, stopped: dim, error: red }[entry.status as string] ?? yellow;
  const agent = entry.agent?.status ?? '-';
  const agentPaint = { running: green, '-': dim, failed: red, exited: red }[agent as string] ?? yellow;
  return [
    entry.name,
    { text: entry.status, paint: statusPaint },
    { text: attention || '-', paint: attention === '' ? dim : yellow },
    { text: agent, paint: agentPaint },
    entry.container?.name ?? '-',
    entry.workspace_folder,
  ];
}
