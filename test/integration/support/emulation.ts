import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { TestEngine } from './engine-harness.ts';
import { makeImage } from './make-image.ts';

const SOURCES = join(import.meta.dirname, '../../fixtures/static-programs');
const NAMES = 'answer arch cat count echo env exit id setsid sh sleep stubborn true'.split(' ');

/**
 * An image of this architecture (the engine's and Go's word for it) in which every program is a static executable of that
 * architecture, or why there is none that runs here.
 */
export async function foreignImage(
  world: TestEngine,
  architecture: string,
): Promise<{ readonly image: string; readonly missing?: undefined } | { readonly missing: string }> {
  const folder = await world.makeFolder('programs');
  const program = join(folder, 'program');
  const env = {
    ...process.env,
    // Where Go installs itself.
    PATH: `${process.env['PATH']}${delimiter}/usr/local/go/bin`,
    ...{ CGO_ENABLED: '0', GOOS: 'linux', GOARCH: architecture, GOTOOLCHAIN: 'local', GOFLAGS: '' },
  };
  const flags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w'];
  try {
    await promisify(execFile)('go', ['build', ...flags, '-o', program, '.'], { cwd: SOURCES, env, timeout: 240_000 });
  } catch (error) {
    return { missing: `its programs cannot be built: ${String(error)}` };
  }
  const passwd = Buffer.from('root:x:0:0:root:/:/bin/sh\ndev:x:1000:1000:dev:/:/bin/sh\n');
  const files = Object.fromEntries(NAMES.map((name) => [`bin/${name}`, program]));
  const how = { architecture, env: ['PATH=/bin'] };
  const image = await makeImage(world, architecture, { ...files, 'etc/passwd': passwd }, how);
  const tried = world.docker('run', '--rm', '--label', world.label, '--network', 'none', image, '/bin/true');
  return tried.then(
    () => ({ image }),
    (error: unknown) => ({
      missing: `its programs do not run here (${String(error)}). Install qemu-user-static, and register it with the flag F in /proc/sys/fs/binfmt_misc`,
    }),
  );
}
