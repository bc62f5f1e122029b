/** The smallest file that says of itself what an ELF executable says. It does not run. */
export function elfFile(options: {
  readonly machine: number;
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly interpreter?: string;
}): Buffer {
  const { machine, bits = 64, littleEndian = true, interpreter } = options;
  const [headerSize, entrySize] = bits === 64 ? [64, 56] : [52, 32];
  const text = Buffer.from(interpreter === undefined ? '' : `${interpreter}\0`);
  const file = Buffer.alloc(headerSize + entrySize + text.length);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const word = (at: number, value: number): void =>
    bits === 64 ? view.setBigUint64(at, BigInt(value), littleEndian) : view.setUint32(at, value, littleEndian);

  file.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, littleEndian ? 1 : 2, 1]);
  view.setUint16(18, machine, littleEndian);
  word(bits === 64 ? 32 : 28, headerSize);
  view.setUint16(bits === 64 ? 54 : 42, entrySize, littleEndian);
  view.setUint16(bits === 64 ? 56 : 44, interpreter === undefined ? 0 : 1, littleEndian);
  if (interpreter !== undefined) {
    view.setUint32(headerSize, 3, littleEndian);
    word(headerSize + (bits === 64 ? 8 : 4), headerSize + entrySize);
    word(headerSize + (bits === 64 ? 32 : 16), text.length);
    file.set(text, headerSize + entrySize);
  }
  return file;
}
