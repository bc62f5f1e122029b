import { expect, it } from 'vitest';

import { commandPhase } from './engine-command.ts';

it.each([
  ['Run: docker build -f /x -t y /z', 'build'],
  ['Run: docker buildx build --load -t y', 'build'],
  ['Run: docker buildx version', 'other'],
  ['Run: docker pull some:1', 'build'],
  ['Run: docker run --sig-proxy=false -a STDOUT x', 'create'],
  ['Run: docker start abc', 'create'],
  ['Starting container', 'create'],
  ['Run: /usr/bin/podman build .', 'build'],
  ['Run: docker-compose --project-name p -f /a.yml -f /b.yml up -d', 'create'],
  ['Run: docker-compose -f /a.yml config', 'other'],
  ['Run: docker compose --project-name build -f run build', 'build'],
  ['Run: docker compose --project-name p -f /a.yml --profile * up -d', 'create'],
  ['Run: docker ps -q -a --filter label=x=build', 'other'],
  ['Run: docker', 'other'],
  ['Run in container: docker build .', undefined],
  ['Resolving Remote', undefined],
])('%s -> %s', (text, phase) => {
  expect(commandPhase(text)).toBe(phase);
});
