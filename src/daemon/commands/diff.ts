import type { WireDifferences } from '../../http/wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import { lineDiff } from '../output/line-diff.ts';
import type { Output } from '../output/output.ts';
import { plainLines, plainText } from '../output/plain-text.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';

/** Lines of one input; what is longer is better looked at with a tool for it. */
const MAX_LINES = 200;

type Difference = WireDifferences['differences'][number];

/** Shows how a configuration differs from the one that the container was made from. */
export async function diff({ client, output }: CommandContext, _flags: LocationFlags, name: string): Promise<number> {
  const entry = await findDevcontainer(client, name);
  const { body } = await client.send({ method: 'GET', path: devcontainerPath(entry.id, '/diff') });
  const { differences } = body as WireDifferences;
  output.result({ id: entry.id, name: entry.name, differences });
  const title = plainText(entry.name);
  if (entry.container === undefined) {
    output.line(`${title} has no container to compare with. Next: agentcontainers up ${title}`);
  } else if (differences.length === 0) {
    output.line(`Nothing differs: ${title} is what its configuration says.`);
  } else {
    for (const difference of differences) printDifference(output, difference);
    for (const line of meanings(differences, title)) output.line(line);
  }
  return EXIT.ok;
}

function printDifference(output: Output, difference: Difference): void {
  const { colors } = output;
  output.line(`${colors.bold(plainText(difference.input))}  ${classText(output, difference.class)}`);
  const { before, after } = difference;
  const paint = { added: colors.green, removed: colors.red, same: (text: string) => text, gap: colors.dim };
  const mark = { added: '+ ', removed: '- ', same: '  ', gap: '  …' };
  if (before === undefined && after !== undefined) output.line(colors.dim('  (there was none, or it is not known)'));
  if (after === undefined && before !== undefined) output.line(colors.dim('  (there is none any more)'));
  if (before === undefined && after === undefined) output.line(colors.dim('  (what it says is not known)'));
  const lines = lineDiff(readable(before), readable(after));
  for (const { kind, text } of lines.slice(0, MAX_LINES)) output.line(paint[kind](`${mark[kind]}${text}`));
  if (lines.length > MAX_LINES)
    output.line(colors.dim(`  (and ${lines.length - MAX_LINES} more lines; --json has all)`));
  output.line();
}

/** JSON of several parts on lines of their own, so that what changed in it can be seen. */
function readable(text: string | undefined): string {
  if (text === undefined) return '';
  try {
    return plainLines(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return plainLines(text);
  }
}

function classText({ colors }: Output, kind: Difference['class']): string {
  const paint = { recreate: colors.yellow, 'rerun-hook': colors.cyan, live: colors.green, none: colors.dim };
  return paint[kind](kind);
}

/** What the classes that occur mean for the person, the one that needs most first. */
function meanings(differences: readonly Difference[], name: string): string[] {
  const inputs = (kind: Difference['class']): string[] =>
    differences.filter((difference) => difference.class === kind).map(({ input }) => plainText(input));
  const [hook] = inputs('rerun-hook');
  return [
    ...(inputs('recreate').length > 0 ? [`recreate: needs a new container: agentcontainers recreate ${name}`] : []),
    ...(hook === undefined
      ? []
      : [
          `rerun-hook: needs no new container, the command can be run again: agentcontainers rerun-hook ${name} ${hook}`,
        ]),
    ...(inputs('live').length > 0 ? ['live: counts from the next start, or at once; nothing is to be made anew'] : []),
    ...(inputs('none').length > 0 ? ['none: changes nothing'] : []),
  ];
}
