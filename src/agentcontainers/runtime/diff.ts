import { bounded } from '../../async/abort.ts';
import { AgentContainersError } from '../../errors.ts';
import { redactSecrets } from '../../text/redact-secrets.ts';
import type { InputDifference } from '../api.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import { dirtyReasons, UNKNOWN_INPUT } from '../model/fingerprint.ts';
import type { Runtime } from './runtime.ts';

/** What makes a devcontainer dirty, with the contents of then and now, as far as they are known; without secrets. */
export async function diff(rt: Runtime, id: string): Promise<readonly InputDifference[]> {
  const entry = rt.store.state.entries.get(id);
  if (!entry) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  const reasons = dirtyReasons(entry);
  if (reasons.length === 0) return [];
  const { clock, configFiles, storage } = rt.ports;
  const made = entry.made.find(({ containerId }) => containerId === entry.link?.id);
  const what = `Reading the files of ${entry.key.configPath}`;
  const [before, after] = await Promise.all([
    made ? storage.loadContents(made.fingerprint) : undefined,
    bounded(clock, FOLDER_TIMEOUT, what, rt.closing, () => configFiles.contents(entry.key)),
  ]);
  return reasons.map((reason) => ({
    ...reason,
    before:
      own(made?.inputs, reason.input) === UNKNOWN_INPUT
        ? undefined
        : redacted(reason.input, own(before, reason.input) ?? imageOf(reason.input, made?.inputs)),
    after: redacted(reason.input, own(after, reason.input) ?? imageOf(reason.input, entry.config?.inputs)),
  }));
}

/** Of an image its digest is all there is to show. */
function imageOf(input: string, inputs: Readonly<Record<string, string>> | undefined): string | undefined {
  return input.startsWith('image ') ? own(inputs, input) : undefined;
}

/** A property of a configuration may be called like one that every object has. */
function own(texts: Readonly<Record<string, string>> | undefined, input: string): string | undefined {
  return texts !== undefined && Object.hasOwn(texts, input) ? texts[input] : undefined;
}

function redacted(input: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : redactSecrets(input, text);
}
