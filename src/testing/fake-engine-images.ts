import type { ImageDetails, Platform } from '../agentcontainers/ports.ts';
import type { FakeFile } from './fake-container-files.ts';

/** What a test says of an image; everything else gets a default. */
export interface ImageSeed {
  /** Default: one of its own. */
  readonly id?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default: linux/amd64. */
  readonly platform?: Platform;
}

/** An image as the engine has it now. */
export interface FakeImage extends ImageDetails {
  /** Sorted; empty for an image without a name. */
  readonly references: readonly string[];
}

/** What a test does to images, as if by hand. */
export interface FakeImageControls {
  /**
   * Gives the reference to an image, which is made if the engine does not have its id yet: a reference that was another
   * image's moves. Emits the event `tag`, with `untag` before it where it moves.
   */
  addImage(reference: string, seed?: ImageSeed): ImageDetails;
  /** Takes a reference away, or with an id removes the image. */
  dropImage(image: string): void;
  /** Platform of an image; it need not exist. */
  setPlatform(image: string, platform: Platform): void;
  /** All images, oldest first. */
  readonly images: readonly FakeImage[];
}

interface StoredImage {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  platform: Platform;
  readonly files: ReadonlyMap<string, FakeFile>;
}

export interface FakeImages {
  readonly controls: FakeImageControls;
  /** By reference, id, or unique beginning of the id. */
  find(image: string): StoredImage | undefined;
  details(image: string): ImageDetails | undefined;
  platform(image: string): Platform | undefined;
  /** Makes sure that an image which a container names is there. */
  ensure(reference: string, id: string): void;
  /** Makes an image without a name; its id. */
  commit(labels: Readonly<Record<string, string>>, from: string, files: ReadonlyMap<string, FakeFile>): string;
  /** Removes an image without a name. */
  removeUnnamed(id: string): void;
}

const DEFAULT_PLATFORM: Platform = { operatingSystem: 'linux', architecture: 'amd64' };

export function createFakeImages(
  emit: (action: string, imageId: string, labels: Readonly<Record<string, string>>) => void,
): FakeImages {
  const images = new Map<string, StoredImage>();
  const references = new Map<string, string>();
  const platforms = new Map<string, Platform>();
  let count = 0;

  const referencesTo = (id: string): string[] =>
    [...references].flatMap(([reference, to]) => (to === id ? reference : [])).sort();

  function find(image: string): StoredImage | undefined {
    const exact = images.get(references.get(canonical(image)) ?? image);
    if (exact || !/^(?:sha256:)?[0-9a-f]{12,}$/.test(image)) return exact;
    const beginning = [...images.values()].filter(({ id }) => id.replace(/^sha256:/, '').startsWith(bare(image)));
    return beginning.length === 1 ? beginning[0] : undefined;
  }

  function make(seed: ImageSeed, files: ReadonlyMap<string, FakeFile> = new Map()): StoredImage {
    const id = seed.id ?? fakeImageId(++count);
    const made = images.get(id) ?? {
      id,
      labels: seed.labels ?? {},
      platform: seed.platform ?? DEFAULT_PLATFORM,
      files,
    };
    images.set(id, made);
    return made;
  }

  function details(image: string): ImageDetails | undefined {
    const found = find(image);
    return found && { id: found.id, labels: found.labels, platform: platform(image) ?? found.platform };
  }

  function platform(image: string): Platform | undefined {
    return platforms.get(image) ?? find(image)?.platform;
  }

  function untag(reference: string): void {
    const id = references.get(reference);
    if (id === undefined) return;
    references.delete(reference);
    emit('untag', id, { name: reference });
  }

  return {
    find,
    details,
    platform,
    ensure(reference, id) {
      if (find(id) === undefined) make({ id });
      if (!reference.startsWith('sha256:') && !references.has(canonical(reference))) {
        references.set(canonical(reference), id);
      }
    },
    commit(labels, from, files) {
      const { id } = make({ labels, platform: platform(from) ?? DEFAULT_PLATFORM }, new Map(files));
      return id;
    },
    removeUnnamed(id) {
      const image = find(id);
      if (!image || referencesTo(image.id).length > 0) return;
      images.delete(image.id);
      emit('delete', image.id, {});
    },
    controls: {
      addImage(reference, seed = {}) {
        const { id } = make(seed);
        const name = canonical(reference);
        if (references.get(name) !== id) {
          untag(name);
          references.set(name, id);
          emit('tag', id, { name });
        }
        return details(name) as ImageDetails;
      },
      dropImage(image) {
        const found = find(image);
        if (!found) throw new Error(`Dropping image ${image} failed: there is none.`);
        const isReference = references.has(canonical(image));
        for (const reference of isReference ? [canonical(image)] : referencesTo(found.id)) untag(reference);
        if (isReference) return;
        images.delete(found.id);
        emit('delete', found.id, {});
      },
      setPlatform: (image, platform) => void platforms.set(image, platform),
      get images() {
        return [...images.values()].map(({ id, labels, platform }) => ({
          id,
          labels,
          platform: platforms.get(id) ?? platform,
          references: referencesTo(id),
        }));
      },
    },
  };
}

/** As engines read it: without a tag it is `latest`. */
function canonical(reference: string): string {
  return /:[^/]+$/.test(reference) ? reference : `${reference}:latest`;
}

function bare(id: string): string {
  return id.replace(/^sha256:/, '');
}

/** Differs from the default image id of containers, and within the first four digits from the others. */
function fakeImageId(number: number): string {
  return `sha256:${(0xa000 + number).toString(16).slice(-4).repeat(16)}`;
}
