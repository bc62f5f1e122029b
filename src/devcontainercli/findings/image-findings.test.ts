import { describe, expect, it } from 'vitest';
import { imageFindings } from './image-findings.ts';

const found = (metadata: unknown, labels: Record<string, string> = {}): string[] =>
  imageFindings('r.example/x:1', {
    ...labels,
    'devcontainer.metadata': typeof metadata === 'string' ? metadata : JSON.stringify(metadata),
  }).map(({ kind, detail, source }) => {
    expect(source).toBe('image r.example/x:1');
    return `${kind} ${detail}`;
  });

describe('an image', () => {
  it('without metadata, or with empty metadata, is harmless', () => {
    expect(imageFindings('x', {})).toEqual([]);
    expect(imageFindings('x', { maintainer: 'x', 'traefik.enable': 'true' })).toEqual([]);
    for (const metadata of ['', '[]', '{}', '[{}]']) expect(found(metadata)).toEqual([]);
  });

  it('whose metadata stays in the container is harmless, as an object or an array', () => {
    const layer = { id: 'r.example/feature', remoteUser: 'dev', customizations: { vscode: { x: '${env:PATH}' } } };
    expect(found(layer)).toEqual([]);
    expect(found([layer, { postCreateCommand: 'x', containerEnv: { A: 'b' } }])).toEqual([]);
  });

  it('that asks for more is a finding for each thing', () => {
    const layers = [
      { id: 'dind', privileged: true, mounts: ['source=dind-${devcontainerId},target=/var/lib/docker,type=volume'] },
      { mounts: ['source=/,target=/x,type=bind'], capAdd: ['A'], remoteEnv: { X: '${localEnv:TOKEN}' } },
      // No workspace is the image's own.
      { mounts: ['source=${localWorkspaceFolder},target=/x,type=bind'], containerUser: 'a\n    privileged: true' },
    ];
    expect(found(layers)).toEqual([
      'mount mounts: source=${localWorkspaceFolder},target=/x,type=bind',
      'mount mounts: source=/,target=/x,type=bind',
      'privilege capAdd: A',
      'privilege privileged: true',
      expect.stringMatching(/^run-argument containerUser: /),
      'local-env variable TOKEN',
    ]);
  });

  it.each(['{', 'null', '7', '"text"', '[1]', '[[{"privileged":true}]]', 'x'.repeat(2 * 1024 * 1024)])(
    'whose metadata cannot be read is a finding',
    (metadata) => {
      const findings = found(metadata);
      expect(findings).toHaveLength(1);
      expect(findings[0]).toMatch(/^privilege metadata that cannot be read: /);
      expect(findings[0]?.length).toBeLessThanOrEqual('privilege '.length + 300);
    },
  );

  it('with unreadable metadata is not equal to another one', () => {
    expect(found('{')).not.toEqual(found('{{'));
    expect(found(`{${'a'.repeat(5_000)}`)).not.toEqual(found(`{${'a'.repeat(5_001)}`));
  });

  it.each([
    'devcontainer.local_folder',
    'devcontainer.config_file',
    'agentcontainers.generation',
    'com.docker.compose.project',
    'com.docker.compose.project.config_files',
    'com.docker.compose.project.working_dir',
    'com.docker.compose.service',
    'COM.docker.compose.oneoff',
  ])('that claims by %s to be another container is a finding', (name) => {
    expect(found([], { [name]: '/other' })).toEqual([`privilege label ${name}: /other`]);
  });

  it('that compose has built is none for a container that compose makes, whose labels it sets itself', () => {
    const labels = { 'com.docker.compose.project': 'p', 'com.docker.compose.service': 's' };
    expect(imageFindings('x', labels, { isCompose: true })).toEqual([]);
    expect(imageFindings('x', { 'devcontainer.local_folder': '/other' }, { isCompose: true })).toHaveLength(1);
  });
});
