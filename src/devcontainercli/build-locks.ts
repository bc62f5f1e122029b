import { createLimiter, type Limiter } from '../async/limiter.ts';

export interface BuildLocks {
  /**
   * Waits until this build may run, in the order of asking. The returned function gives the locks back; calling it again
   * changes nothing. Rejects with the signal's reason.
   *
   * @param sharesFeatures it puts the files of features into the image that all such builds use
   * @param onWait called when there is something to wait for
   */
  acquire(
    build: { readonly workspaceFolder: string; readonly sharesFeatures: boolean },
    signal: AbortSignal,
    onWait: () => void,
  ): Promise<() => void>;
}

/**
 * Keeps apart builds that would take each other's images, silently.
 *
 * - The CLI names an image after the workspace folder alone: two configurations of one folder build under one name, and
 *   the container of one would be made from the image of the other.
 * - Without BuildKit it puts the files of features into an image with a fixed name, and builds from that in a second
 *   step: a build between the two of another gives it other features.
 */
export function createBuildLocks(): BuildLocks {
  const folders = new Map<string, { readonly limiter: Limiter; users: number }>();
  const features = { limiter: createLimiter(1), users: 0 };

  async function take(
    lock: { readonly limiter: Limiter; users: number },
    signal: AbortSignal,
    onWait: () => void,
  ): Promise<() => void> {
    if (lock.users > 0) onWait();
    lock.users++;
    try {
      const release = await lock.limiter.acquire(signal);
      let held = true;
      return () => {
        release();
        if (held) lock.users--;
        held = false;
      };
    } catch (error) {
      lock.users--;
      throw error;
    }
  }

  return {
    async acquire({ workspaceFolder, sharesFeatures }, signal, onWait) {
      let folder = folders.get(workspaceFolder);
      if (folder === undefined) folders.set(workspaceFolder, (folder = { limiter: createLimiter(1), users: 0 }));
      const own = folder;
      const forget = (): void => {
        if (own.users === 0 && folders.get(workspaceFolder) === own) folders.delete(workspaceFolder);
      };
      // Always in this order, so that no two wait for each other.
      const releaseFolder = await take(own, signal, onWait).finally(forget);
      const release = (): void => {
        releaseFolder();
        forget();
      };
      if (!sharesFeatures) return release;
      try {
        const releaseFeatures = await take(features, signal, onWait);
        return () => {
          releaseFeatures();
          release();
        };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}
