import { createHmac, timingSafeEqual } from 'node:crypto';
import { LABEL, type Container } from '../model/container.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { Claim } from '../model/events.ts';

/** Labels by which a container is known as ours, whatever else is lost; nobody without the secret can make them. */
export interface LabelSigner {
  labelsFor(key: EntryKey, generation: string, fingerprint: string): Readonly<Record<string, string>>;
  /** Labels of images that we make for a while; by them we know our own from those of others. */
  readonly backupLabels: Readonly<Record<string, string>>;
  /** What our labels on this container say, if they are really ours. */
  signedBy(labels: Container['labels']): Claim['signed'];
}

export function createLabelSigner(secret: string): LabelSigner {
  function sign(folder: string, config: string, generation: string, fingerprint: string): string {
    const text = JSON.stringify([folder, config, generation, fingerprint]);
    return createHmac('sha256', secret).update(text).digest('hex');
  }

  return {
    backupLabels: { [LABEL.backup]: sign('backup', '', '', '') },
    labelsFor: ({ workspaceFolder, configPath }, generation, fingerprint) => ({
      [LABEL.generation]: generation,
      [LABEL.fingerprint]: fingerprint,
      [LABEL.signature]: sign(workspaceFolder, configPath, generation, fingerprint),
    }),
    signedBy(labels) {
      const { [LABEL.generation]: generation, [LABEL.fingerprint]: fingerprint, [LABEL.signature]: given } = labels;
      if (generation === undefined || fingerprint === undefined || given === undefined) return undefined;
      const folder = labels[LABEL.localFolder] ?? '';
      const expected = Buffer.from(sign(folder, labels[LABEL.configFile] ?? '', generation, fingerprint));
      const signature = Buffer.from(given);
      const isOurs = signature.length === expected.length && timingSafeEqual(signature, expected);
      return isOurs ? { generation, fingerprint } : undefined;
    },
  };
}
