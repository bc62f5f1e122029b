import { parseCustomization } from '../model/customization.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { ConfigReading } from '../model/events.ts';
import type { ConfigFiles } from '../ports.ts';

/** Reads a config file strictly, and what of its root layer decides about the sub-agent. */
export async function readConfig(ports: { readonly configFiles: ConfigFiles }, key: EntryKey): Promise<ConfigReading> {
  const snapshot = await ports.configFiles.read(key.configPath);
  if (snapshot.kind !== 'valid') return snapshot;
  const { fingerprint, properties, modifiedAt, config } = snapshot;
  const { customizations } = config;
  const root =
    typeof customizations === 'object' && customizations !== null ? (customizations as Record<string, unknown>) : {};
  const { name, ignore } = parseCustomization([root]);
  return {
    kind: 'valid',
    config: { fingerprint, properties, modifiedAt, isCompose: config['dockerComposeFile'] !== undefined },
    name,
    ignored: ignore,
  };
}
