import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeWorkspaceFolder, type WorkspaceFolder } from '../../../test/support/workspace-folder.ts';

let w: WorkspaceFolder;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
  await w.write('.devcontainer/devcontainer.json', { dockerComposeFile: 'compose.yaml', service: 'a' });
});
afterEach(() => w.dispose());

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

describe('what compose files may ask to be looked at is bounded:', () => {
  it('variables in one file', async () => {
    await w.write('.devcontainer/compose.yaml', 'services: {a: {image: b}}');
    await w.write(
      '.devcontainer/.env',
      lines(5_000, (i) => `A${i}=1`),
    );
    expect(await w.files.read(w.key)).toMatchObject({ kind: 'valid', problems: [] });
    await w.write(
      '.devcontainer/.env',
      lines(5_001, (i) => `A${i}=1`),
    );
    expect(await w.files.read(w.key)).toMatchObject({
      kind: 'invalid',
      error: { message: './.devcontainer/.env, line 1, column 1: more than 5000 variables' },
    });
  });

  it('projects that are included with variables of their own', async () => {
    await w.write('.devcontainer/x.yaml', 'services: {b: {image: c}}');
    await w.write('.devcontainer/v.env', 'V=1\n');
    const including = (count: number): string =>
      `include:\n${lines(count, (i) => `  - {path: x.yaml, env_file: [${'v.env,'.repeat(i + 1)}]}`)}\nservices: {a: {image: b}}`;
    await w.write('.devcontainer/compose.yaml', including(40));
    expect(await w.files.read(w.key)).toMatchObject({ kind: 'valid' });
    await w.write('.devcontainer/compose.yaml', including(60));
    expect(await w.files.read(w.key)).toMatchObject({
      kind: 'invalid',
      error: { message: expect.stringContaining('more than 50') },
    });
  });

  it('build arguments of one service', async () => {
    const service = (count: number): string =>
      `services:\n  a:\n    build:\n      context: .\n      args:\n${lines(count, (i) => `        A${i}: "1"`)}`;
    await w.write('.devcontainer/Dockerfile', 'ARG A999\nFROM b:$A999\n');
    await w.write('.devcontainer/compose.yaml', service(1_000));
    expect(await w.read()).toMatchObject({ images: ['b:1'], problems: [] });
    await w.write('.devcontainer/compose.yaml', service(1_001));
    expect((await w.read()).problems).toEqual([expect.stringContaining('more than 1000 build arguments')]);
  });

  it('lines of an env file that are shown', async () => {
    await w.write('.devcontainer/compose.yaml', 'services: {a: {image: b, env_file: x.env}}');
    await w.write('.devcontainer/x.env', 'A=1\nB=2\n');
    expect((await w.files.contents(w.key))['./.devcontainer/x.env']).toMatch(/^A sha256 \w{12}\nB sha256 \w{12}\n$/);
    await w.write(
      '.devcontainer/x.env',
      lines(5_000, (i) => `A${i}=1`),
    );
    expect(Object.keys(await w.files.contents(w.key))).not.toContain('./.devcontainer/x.env');
  });
});
