import type { BenchContext } from '../context.ts';
import type { Row } from '../row.ts';
import { commands } from './commands.ts';
import { dirtyLatency } from './dirty.ts';
import { idle } from './idle.ts';
import { injection } from './injection.ts';
import { knownEntries } from './known-entries.ts';
import { listHundred, listThousand } from './listing.ts';
import { residents } from './residents.ts';
import { watchLatency } from './watch.ts';
import { zeroCopy } from './zero-copy.ts';

/** In the order in which they run: those with the same 100 containers follow one another. */
export const CASES: Readonly<Record<string, (context: BenchContext) => Promise<Row[]>>> = {
  inject: injection,
  'zero-copy': zeroCopy,
  'known-entries': knownEntries,
  dirty: dirtyLatency,
  commands,
  residents,
  'list-100': listHundred,
  watch: watchLatency,
  idle,
  'list-1000': listThousand,
};
