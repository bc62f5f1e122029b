import { expect, it } from 'vitest';
import { engineArchitecture } from './architecture.ts';

it.each([
  ['x86_64', 'amd64'],
  ['X86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['armv6l', 'arm'],
  ['armv7l', 'arm'],
  ['armhf', 'arm'],
  ['i686', '386'],
  ['loongarch64', 'loong64'],
  ['amd64', 'amd64'],
  ['RISCV64', 'riscv64'],
  ['constructor', 'constructor'],
  ['__proto__', '__proto__'],
  ['', ''],
])('%s is the engine’s %s', (word, expected) => {
  expect(engineArchitecture(word)).toBe(expected);
});
