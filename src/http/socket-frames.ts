import type { z } from 'zod';
import type { OutputChunk } from '../agentcontainers/ports.ts';
import { isAgentContainersError } from '../errors.ts';
import { LIMITS } from './limits.ts';
import { readBody } from './request-input.ts';

/** Close codes of RFC 6455 and its registry. */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  malformed: 1007,
  refused: 1008,
  tooLarge: 1009,
  failed: 1011,
  tooSlow: 1013,
} as const;

/** A message of a WebSocket, as its client sent it. */
export interface ClientFrame {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
}

/** Thrown for a frame that cannot be taken; the connection ends with this code and reason. */
export class FrameRefusal extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

const STREAM_BYTES = { stdout: 1, stderr: 2 } as const;
const MAX_REASON_BYTES = 123;

/** The stream in one byte, then what was written to it. */
export function toOutputFrame({ stream, bytes }: OutputChunk): Buffer {
  const frame = Buffer.allocUnsafe(bytes.length + 1);
  frame[0] = STREAM_BYTES[stream];
  frame.set(bytes, 1);
  return frame;
}

/** The JSON of a frame. Throws a {@link FrameRefusal}. */
export function parseJsonFrame(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new FrameRefusal(CLOSE.malformed, 'A text frame must be UTF-8.');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new FrameRefusal(CLOSE.malformed, 'The frame must be JSON.');
  }
}

/** A control frame against its schema. Throws a {@link FrameRefusal}. */
export function readJsonFrame<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Buffer,
  maxBytes: number = LIMITS.controlFrameBytes,
): z.infer<Schema> {
  if (bytes.length > maxBytes) {
    throw new FrameRefusal(CLOSE.tooLarge, `A text frame has at most ${maxBytes} bytes.`);
  }
  const json = parseJsonFrame(bytes);
  try {
    return readBody(schema, json);
  } catch (error) {
    throw new FrameRefusal(CLOSE.refused, `The frame is not valid. ${firstFault(error)}`);
  }
}

function firstFault(error: unknown): string {
  const validations = isAgentContainersError(error) ? error.details['validations'] : undefined;
  const [first] = Array.isArray(validations) ? (validations as { field: string; detail: string }[]) : [];
  return first ? `${first.field}: ${first.detail}` : '';
}

/** A close frame has room for so much: cut between characters. */
export function toCloseReason(text: string): string {
  if (Buffer.byteLength(text) <= MAX_REASON_BYTES) return text;
  let reason = '';
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > MAX_REASON_BYTES) break;
    reason += character;
  }
  return reason;
}
