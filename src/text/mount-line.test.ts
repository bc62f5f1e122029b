import { expect, it } from 'vitest';

import { parseMountLine } from './mount-line.ts';

it('reads place, options and type, with and without optional fields', () => {
  const expected = { path: '/mnt/x', options: ['rw', 'noexec'], type: 'ext4', superOptions: ['rw', 'errors=continue'] };
  const end = '- ext4 /dev/sda1 rw,errors=continue';
  expect(parseMountLine(`36 35 98:0 / /mnt/x rw,noexec master:1 shared:2 ${end}`)).toEqual(expected);
  expect(parseMountLine(`36 35 98:0 / /mnt/x rw,noexec ${end}`)).toEqual(expected);
  expect(parseMountLine('1 2 0:1 / /t ro - tmpfs tmpfs')).toMatchObject({ type: 'tmpfs', superOptions: [] });
});

it('reads a path with the characters that the kernel writes as digits', () => {
  expect(parseMountLine('1 2 0:1 / /a\\040b\\134040\\012 rw - tmpfs x rw')?.path).toBe('/a b\\040\n');
});

it.each([
  '',
  'x',
  '1 2 0:1 / relative rw - ext4 x rw',
  '1 2 0:1 / /a rw ext4 x rw',
  '1 2 0:1 / /a rw - ',
  '1 2 3 4 /a - t',
])('takes %j for no mount', (text) => {
  expect(parseMountLine(text)).toBeUndefined();
});
