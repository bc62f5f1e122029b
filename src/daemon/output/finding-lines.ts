import type { WireFinding } from '../../http/wire-schemas.ts';
import type { Output } from './output.ts';
import { renderTable } from './table.ts';

type Colors = Output['colors'];

/** What a kind of finding means, for whoever has to decide. */
const MEANING: Readonly<Record<string, string>> = {
  'initialize-command':
    'a command that runs on this machine, as you, and files that it names, as they are now; what those files call or read in turn can change without another question',
  mount: 'files of this machine, or the engine itself, inside the container',
  privilege: 'rights over this machine',
  'run-argument': 'an argument of `docker run` that can do anything of these',
  'local-env': 'a variable of your environment that is read',
  'remote-feature': 'code from elsewhere that can ask for anything of these',
};

/**
 * Findings as lines, compared with those that were accepted before, if any: `+` is new, `-` is gone, the rest has not
 * changed. Whole, however narrow the terminal: what is accepted has to be read.
 */
export function findingLines(
  findings: readonly WireFinding[],
  accepted: readonly WireFinding[] | undefined,
  colors: Colors,
): string[] {
  const known = new Set(accepted?.map(keyOf));
  const now = new Set(findings.map(keyOf));
  const gone = (accepted ?? []).filter((finding) => !now.has(keyOf(finding)));
  const rows = [
    ...findings.map((finding) =>
      known.has(keyOf(finding))
        ? { mark: ' ', finding, paint: colors.dim }
        : { mark: '+', finding, paint: colors.yellow },
    ),
    ...gone.map((finding) => ({ mark: '-', finding, paint: colors.green })),
  ];
  const cells = rows.map(({ mark, finding: { kind, detail, source }, paint }) =>
    [mark, kind, detail, source].map((text) => ({ text, paint })),
  );
  const columns = ['', 'FINDING', 'WHAT', 'SAID BY'].map((title) => ({ title }));
  return renderTable(columns, cells, undefined, colors.bold);
}

/** One line for each kind of finding that is there. */
export function meaningLines(findings: readonly WireFinding[], colors: Colors): string[] {
  const kinds = [...new Set(findings.map(({ kind }) => kind))];
  return kinds.map((kind) => colors.dim(`${kind}: ${MEANING[kind] ?? 'something that can reach this machine'}`));
}

export function keyOf({ kind, detail, source }: WireFinding): string {
  return JSON.stringify([kind, detail, source]);
}
