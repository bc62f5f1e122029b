import type { Readable } from 'node:stream';

/**
 * Hands on what is read, one piece at a time; an empty piece is the end. Reads no more while one is being taken, and
 * nothing after the returned function was called: then the source is closed, so that it holds up no end of the process.
 *
 * @param onError called when it cannot be read any more, which is not its end
 */
export function passInput(
  source: Readable,
  take: (bytes: Uint8Array) => Promise<void> | void,
  onError: (error: Error) => void,
): () => void {
  let isStopped = false;
  let taken: Promise<void> = Promise.resolve();
  const resume = (): void => {
    if (!isStopped) source.resume();
  };
  const onData = (chunk: Uint8Array | string): void => {
    source.pause();
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    taken = Promise.resolve(take(bytes)).then(resume, resume);
  };
  const onEnd = (): void => {
    stopListening();
    // A source tells its end as soon as nothing is left in it.
    void taken.then(() => (isStopped ? undefined : take(new Uint8Array(0)))).catch(() => {});
  };
  const onBroken = (error: Error): void => {
    stopListening();
    onError(error);
  };
  const stopListening = (): void => {
    source.removeListener('data', onData);
    source.removeListener('end', onEnd);
    source.removeListener('error', onBroken);
  };
  source.on('data', onData);
  source.once('end', onEnd);
  source.once('error', onBroken);
  return () => {
    isStopped = true;
    stopListening();
    source.on('error', () => {});
    source.pause();
    source.destroy();
  };
}
