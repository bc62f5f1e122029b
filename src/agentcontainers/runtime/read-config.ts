import { parseCustomization } from '../model/customization.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { ConfigReading } from '../model/events.ts';
import { devcontainerId } from './devcontainer-id.ts';
import type { Runtime } from './runtime.ts';
import { verdictOf } from './verdict-of.ts';

/** Reads a configuration strictly: what it is made from, what it can do to the host, and what of its root layer decides about the sub-agent. */
export async function readConfig(rt: Readers, key: EntryKey): Promise<ConfigReading> {
  return (await readWithSource(rt, key)).reading;
}

type Readers = Pick<Runtime, 'ports' | 'images' | 'store'>;

export interface ReadWithSource {
  readonly reading: ConfigReading;
  /** The parsed devcontainer.json itself. */
  readonly source: Readonly<Record<string, unknown>>;
  /** Of each further file what is another text when it was written meanwhile. */
  readonly files: Readonly<Record<string, string>>;
}

export async function readWithSource(rt: Readers, key: EntryKey): Promise<ReadWithSource> {
  const snapshot = await rt.ports.configFiles.read(key);
  if (snapshot.kind !== 'valid') return { reading: snapshot, source: {}, files: {} };
  const { fingerprint, modifiedAt, config, images, findings, problems } = snapshot;
  const inputs = { ...snapshot.inputs, ...(await rt.images.inputsOf(images)) };
  const { customizations } = config;
  const root =
    typeof customizations === 'object' && customizations !== null ? (customizations as Record<string, unknown>) : {};
  const { name, ignore, autoStart } = parseCustomization([root]);
  const { compose } = snapshot;
  // Asked last: an image may have been judged while the files were read.
  const imageFindings = rt.store.state.entries.get(devcontainerId(key))?.imageFindings ?? [];
  const reading: ConfigReading = {
    kind: 'valid',
    config: {
      fingerprint,
      inputs,
      modifiedAt,
      isCompose: compose !== undefined,
      ...(compose === undefined ? {} : { compose }),
      plainImage: compose === undefined ? plainImageOf(config) : undefined,
      ...(problems.length > 0 ? { problems } : {}),
    },
    name,
    ignored: ignore,
    autoStart,
    verdict: verdictOf([...findings, ...imageFindings]),
  };
  return { reading, source: config, files: snapshot.written ?? filesOf(snapshot.inputs) };
}

/** What files say tells no more than whether they were changed and stayed so. */
function filesOf(inputs: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => /^\.?\//.test(name)));
}

/** The image itself becomes the container: no Dockerfile, no feature. A reference with a variable is not known yet. */
function plainImageOf(config: Readonly<Record<string, unknown>>): string | undefined {
  const { image, features, build, dockerFile } = config;
  const hasFeatures = typeof features === 'object' && features !== null && Object.keys(features).length > 0;
  const isPlain = typeof image === 'string' && build === undefined && dockerFile === undefined && !hasFeatures;
  return isPlain && !image.includes('${') ? image : undefined;
}
