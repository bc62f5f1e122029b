/** What the first bytes of an executable say about where it can run. */
export type ExecutableFormat =
  | {
      readonly format: 'elf';
      readonly bits: 32 | 64;
      /** ELF machine number, e.g. 62 for x86-64. */
      readonly machine: number;
      readonly littleEndian: boolean;
      /** The program that must be in the container to load it; none for a static executable. */
      readonly interpreter?: string | undefined;
    }
  | { readonly format: 'script'; readonly interpreter: string }
  | { readonly format: 'unknown' };

/** So many bytes from the start of a file are enough for {@link inspectExecutable}. */
export const HEAD_BYTES = 65_536;

const PT_INTERP = 3;
const MAX_PATH = 4_096;
const MAX_PROGRAM_HEADERS = 64;
const MAX_SHEBANG = 256;

/** Reads the ELF header or the first line of a script. `head` is the beginning of the file; hostile bytes are fine. */
export function inspectExecutable(head: Uint8Array): ExecutableFormat {
  if (head.length >= 2 && head[0] === 0x23 && head[1] === 0x21) return inspectScript(head);
  const isElf = head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
  const bits = head[4] === 1 ? 32 : head[4] === 2 ? 64 : undefined;
  if (!isElf || bits === undefined || head.length < (bits === 32 ? 52 : 64)) return { format: 'unknown' };
  const littleEndian = head[5] !== 2;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const machine = view.getUint16(18, littleEndian);
  return { format: 'elf', bits, machine, littleEndian, interpreter: elfInterpreter(head, view, bits, littleEndian) };
}

function elfInterpreter(head: Uint8Array, view: DataView, bits: 32 | 64, littleEndian: boolean): string | undefined {
  const word = (at: number): number =>
    bits === 32 ? view.getUint32(at, littleEndian) : Number(view.getBigUint64(at, littleEndian));
  const table = word(bits === 32 ? 28 : 32);
  const entrySize = view.getUint16(bits === 32 ? 42 : 54, littleEndian);
  const count = Math.min(view.getUint16(bits === 32 ? 44 : 56, littleEndian), MAX_PROGRAM_HEADERS);
  const needed = bits === 32 ? 32 : 56;
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    if (entrySize < needed || at + needed > head.length) return undefined;
    if (view.getUint32(at, littleEndian) !== PT_INTERP) continue;
    const offset = word(at + (bits === 32 ? 4 : 8));
    const size = word(at + (bits === 32 ? 16 : 32));
    if (size < 2 || size > MAX_PATH || offset + size > head.length) return undefined;
    const text = Buffer.from(head.subarray(offset, offset + size)).toString('utf8');
    return text.split('\0', 1)[0] || undefined;
  }
  return undefined;
}

function inspectScript(head: Uint8Array): ExecutableFormat {
  const line = Buffer.from(head.subarray(2, MAX_SHEBANG)).toString('utf8').split('\n', 1)[0] ?? '';
  const interpreter = line.trim().split(/[ \t]/, 1)[0] ?? '';
  return interpreter.startsWith('/') ? { format: 'script', interpreter } : { format: 'unknown' };
}
