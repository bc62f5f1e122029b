import { LABEL } from '../../model/container.ts';
import type { EntryKey } from '../../model/devcontainer.ts';
import type { Runtime } from '../runtime.ts';

/**
 * Removes the copies that were kept of containers of this devcontainer, which carry the labels of these; one that a
 * container was made from again stays with it. Only for the job that owns the entry: nobody else keeps one meanwhile.
 */
export async function removeCopies(rt: Runtime, key: EntryKey, signal: AbortSignal): Promise<void> {
  const { engine } = rt.ports;
  const wanted = {
    ...rt.labels.backupLabels,
    [LABEL.localFolder]: key.workspaceFolder,
    [LABEL.configFile]: key.configPath,
  };
  const labels = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
  // A copy of a copy goes before that.
  for (let found = await engine.listImages({ labels, signal }), before = Infinity; found.length < before;) {
    before = found.length;
    for (const image of found) await engine.removeImage(image, signal);
    found = found.length < 2 ? [] : await engine.listImages({ labels, signal });
  }
}
