import { engineArchitecture } from '../agentcontainers/model/architecture.ts';
import type { Platform } from '../agentcontainers/ports.ts';
import type { ExecutableFormat } from './inspect-executable.ts';
import { platformName } from './platform-name.ts';

interface ElfTarget {
  readonly bits: 32 | 64;
  readonly machine: number;
  readonly littleEndian: boolean;
}

/** ELF header values by the engine's word for an architecture. */
const ELF_TARGETS: ReadonlyMap<string, ElfTarget> = new Map([
  ['amd64', { bits: 64, machine: 62, littleEndian: true }],
  ['arm64', { bits: 64, machine: 183, littleEndian: true }],
  ['arm', { bits: 32, machine: 40, littleEndian: true }],
  ['386', { bits: 32, machine: 3, littleEndian: true }],
  ['riscv64', { bits: 64, machine: 243, littleEndian: true }],
  ['ppc64le', { bits: 64, machine: 21, littleEndian: true }],
  ['s390x', { bits: 64, machine: 22, littleEndian: false }],
  ['loong64', { bits: 64, machine: 258, littleEndian: true }],
  ['mips64le', { bits: 64, machine: 8, littleEndian: true }],
]);

/** Why a file of this format cannot run on that platform, as the end of a sentence; `undefined` when it can. */
export function refusePlatform(format: ExecutableFormat, platform: Platform): string | undefined {
  if (platform.operatingSystem.toLowerCase() !== 'linux') return `${platformName(platform)} is not Linux`;
  switch (format.format) {
    case 'script':
      return undefined;
    case 'unknown':
      return 'it is neither a Linux (ELF) executable nor a script that begins with #! and an absolute path';
    case 'elf': {
      const target = ELF_TARGETS.get(engineArchitecture(platform.architecture));
      // An architecture that is not in the table is left to the version check in the container.
      if (!target) return undefined;
      const fits =
        format.bits === target.bits && format.machine === target.machine && format.littleEndian === target.littleEndian;
      return fits ? undefined : `it is built for ${elfTargetName(format)}, the container is ${platformName(platform)}`;
    }
  }
}

function elfTargetName(elf: ElfTarget): string {
  for (const [name, target] of ELF_TARGETS) {
    if (target.machine === elf.machine && target.bits === elf.bits && target.littleEndian === elf.littleEndian) {
      return `linux/${name}`;
    }
  }
  return `ELF machine ${elf.machine} (${elf.bits} bit)`;
}
