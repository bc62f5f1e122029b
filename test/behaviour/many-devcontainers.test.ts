import { expect, test } from 'vitest';
import { begin } from './support/story.ts';

test('many devcontainers at once are looked at, injected and closed without a warning of Node', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on('warning', note);
  const { api, end } = await begin({}, ({ engine, addWorkspace }) => {
    for (let i = 0; i < 30; i++) {
      addWorkspace(`/src/app-${i}`);
      engine.addContainer({ workspaceFolder: `/src/app-${i}`, name: `app-${i}` });
    }
  });
  expect((await api.list()).devcontainers.filter(({ agent }) => agent?.status === 'running')).toHaveLength(30);
  await end();
  // Warnings come with the next tick.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
