import { bounded } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { IMAGE_TIMEOUT } from '../constants.ts';
import type { ContainerEngine } from '../ports.ts';

/** Which images the references of configurations mean now: asked once, and again after the engine told of a change. */
export interface ImageDigests {
  /** Inputs `image <reference>` with the id of the image, for those that the engine has. */
  inputsOf(references: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /** A reference may mean another image now. */
  forget(): void;
}

const MOST_KNOWN = 2_000;

export function createImageDigests(engine: ContainerEngine, clock: Clock, closing: AbortSignal): ImageDigests {
  const known = new Map<string, Promise<string | undefined>>();

  function idOf(reference: string): Promise<string | undefined> {
    let asked = known.get(reference);
    if (!asked) {
      // What the engine does not tell is not known; it is asked again the next time.
      asked = bounded(clock, IMAGE_TIMEOUT, `Inspecting the image ${reference}`, closing, (signal) =>
        engine.inspectImage(reference, signal),
      )
        .then((image) => image?.id)
        .catch(() => {
          known.delete(reference);
          return undefined;
        });
      if (known.size >= MOST_KNOWN) known.clear();
      known.set(reference, asked);
    }
    return asked;
  }

  return {
    async inputsOf(references) {
      const found = await Promise.all(references.map(async (reference) => [reference, await idOf(reference)] as const));
      return Object.fromEntries(
        found.flatMap(([reference, id]) => (id === undefined ? [] : [[`image ${reference}`, id]])),
      );
    },
    forget: () => known.clear(),
  };
}
