import { readFile } from 'node:fs/promises';
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { inspectExecutable } from './inspect-executable.ts';
import { refusePlatform } from './refuse-platform.ts';
import { elfFile } from '../../test/support/elf-file.ts';

const linux = (architecture: string, variant?: string) => ({ operatingSystem: 'linux', architecture, variant });

describe('inspectExecutable', () => {
  it('reads an executable of this machine', async () => {
    const format = inspectExecutable(await readFile(process.execPath));
    expect(format).toMatchObject({ format: 'elf', bits: 64, littleEndian: true });
    expect(format.format === 'elf' && format.interpreter).toMatch(/^\/lib.*ld-/);
  });

  it('reads class, byte order, machine and interpreter', () => {
    expect(inspectExecutable(elfFile({ machine: 62 }))).toEqual({
      format: 'elf',
      bits: 64,
      machine: 62,
      littleEndian: true,
      interpreter: undefined,
    });
    expect(
      inspectExecutable(elfFile({ machine: 22, littleEndian: false, interpreter: '/lib/ld64.so.1' })),
    ).toMatchObject({
      machine: 22,
      littleEndian: false,
      interpreter: '/lib/ld64.so.1',
    });
    expect(inspectExecutable(elfFile({ machine: 40, bits: 32, interpreter: '/lib/ld-linux.so.3' }))).toMatchObject({
      bits: 32,
      interpreter: '/lib/ld-linux.so.3',
    });
  });

  it.each([
    ['#!/bin/sh\necho', '/bin/sh'],
    ['#! /usr/bin/env python3\n', '/usr/bin/env'],
    ['#!/bin/sh', '/bin/sh'],
  ])('reads the interpreter of %j', (text, interpreter) => {
    expect(inspectExecutable(Buffer.from(text))).toEqual({ format: 'script', interpreter });
  });

  it.each(['', '#!', '#!sh\n', 'MZ', '\x7fELF', '\x7fELF\x02\x01', 'echo hi'])('does not know %j', (text) => {
    expect(inspectExecutable(Buffer.from(text, 'latin1'))).toEqual({ format: 'unknown' });
  });

  property.prop([fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.constantFrom(1, 2), fc.constantFrom(1, 2)])(
    'never throws, whatever follows the magic bytes',
    (bytes, interpreter, elfClass, order) => {
      const start = interpreter ? elfFile({ machine: 62, interpreter: '/ld.so' }) : new Uint8Array();
      const file = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, elfClass, order]), start.subarray(6), bytes]);
      bytes.forEach((byte, index) => {
        if (index + 6 < file.length) file[index + 6] = byte;
      });
      expect(['elf', 'unknown']).toContain(inspectExecutable(file).format);
    },
  );
});

describe('refusePlatform', () => {
  it.each([
    [62, linux('amd64')],
    [62, linux('x86_64')],
    [183, linux('arm64', 'v8')],
    [183, linux('aarch64')],
    [99, linux('something-new')],
  ])('accepts ELF machine %i on %o', (machine, platform) => {
    expect(refusePlatform(inspectExecutable(elfFile({ machine })), platform)).toBeUndefined();
  });

  it('names both sides of a mismatch', () => {
    expect(refusePlatform(inspectExecutable(elfFile({ machine: 183 })), linux('amd64'))).toBe(
      'it is built for linux/arm64, the container is linux/amd64',
    );
    expect(refusePlatform(inspectExecutable(elfFile({ machine: 62, bits: 32 })), linux('amd64'))).toContain(
      'ELF machine 62 (32 bit)',
    );
    expect(
      refusePlatform(inspectExecutable(elfFile({ machine: 21, littleEndian: false })), linux('ppc64le')),
    ).toContain('the container is linux/ppc64le');
  });

  it('takes a script anywhere on Linux, and nothing elsewhere', () => {
    const script = inspectExecutable(Buffer.from('#!/bin/sh\n'));
    expect(refusePlatform(script, linux('mips'))).toBeUndefined();
    expect(refusePlatform(script, { operatingSystem: 'windows', architecture: 'amd64' })).toContain('is not Linux');
    expect(refusePlatform({ format: 'unknown' }, linux('amd64'))).toContain('neither');
  });
});
