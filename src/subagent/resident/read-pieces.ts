import { Readable } from 'node:stream';
import { createItemPipe } from '../../async/item-pipe.ts';

/**
 * The pieces of a source as they come, for one reader. A stream that is iterated itself joins all that it holds into one
 * piece: a copy of every byte, and memory for it.
 */
export function readPieces(source: AsyncIterable<Uint8Array>): AsyncIterator<Uint8Array> {
  if (!(source instanceof Readable)) return source[Symbol.asyncIterator]();
  const pipe = createItemPipe<Uint8Array>(() => void source.resume());
  source.on('data', (piece: Uint8Array) => {
    if (!pipe.push(piece, piece.length)) source.pause();
  });
  source.once('error', pipe.fail);
  source.once('end', pipe.end);
  source.once('close', pipe.end);
  // What is over already tells nothing any more.
  if (source.errored) pipe.fail(source.errored);
  else if (source.destroyed || source.readableEnded) pipe.end();
  return pipe[Symbol.asyncIterator]();
}
