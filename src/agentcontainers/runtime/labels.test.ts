import { describe, expect, it } from 'vitest';
import { createLabelSigner } from './labels.ts';

const KEY = { workspaceFolder: '/w/a', configPath: '/w/a/.devcontainer.json' };
const OWN = { 'devcontainer.local_folder': KEY.workspaceFolder, 'devcontainer.config_file': KEY.configPath };

describe('labels of containers that we make', () => {
  const signer = createLabelSigner('secret');
  const labels = { ...OWN, ...signer.labelsFor(KEY, 'generation-1', 'fingerprint-1') };

  it('say what the container was made from', () => {
    expect(signer.signedBy(labels)).toEqual({ generation: 'generation-1', fingerprint: 'fingerprint-1' });
  });

  it('count with the same secret in another process, and with no other one', () => {
    expect(createLabelSigner('secret').signedBy(labels)).toBeDefined();
    expect(createLabelSigner('another').signedBy(labels)).toBeUndefined();
  });

  it.each(Object.keys(labels))('do not count when %s is another one, or missing', (name) => {
    expect(signer.signedBy({ ...labels, [name]: 'other' })).toBeUndefined();
    const rest = Object.fromEntries(Object.entries(labels).filter(([other]) => other !== name));
    expect(signer.signedBy(rest)).toBeUndefined();
  });
});
