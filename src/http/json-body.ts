import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import express from 'express';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';

// `strict`: only objects and arrays. No inflating: a small body cannot become a large one.
const parse = express.json({ limit: LIMITS.bodyBytes, inflate: false, type: () => true });

/** Parses a JSON body; refuses any other kind before a byte of it is read. */
export function jsonBody(req: Request, res: Response, next: NextFunction): void {
  if (!hasBody(req)) return next();
  if (!isJson(req.headers['content-type'])) throw new HttpRefusal('not-json');
  parse(req, res, next);
}

function hasBody(req: IncomingMessage): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return true;
  const length = req.headers['content-length'];
  return length !== undefined && length !== '0';
}

/** Exactly this type: what a page can send to a foreign origin without being asked first is none of it. */
function isJson(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}
