import { createHash, randomBytes } from 'node:crypto';
import type { Clock, Instant } from '../clock/clock.ts';

const SECRET_BYTES = 32;

/**
 * Secrets that we give out and recognise for a while. Only digests are kept, so a look-up tells nothing by its time and
 * memory shows no secret. Beyond `max` the oldest is forgotten.
 */
export class ExpiringSecrets {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #max: number;
  /** Digest to end of life, oldest first. */
  readonly #live = new Map<string, Instant>();

  constructor(clock: Clock, ttlMs: number, max: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#max = max;
  }

  /** 256 bits, base64url. */
  issue(): string {
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    this.#forgetOld();
    this.#live.set(digest(secret), this.#clock.now() + this.#ttlMs);
    return secret;
  }

  /** True once: the secret is used up. */
  redeem(secret: string): boolean {
    const key = digest(secret);
    const end = this.#live.get(key);
    this.#live.delete(key);
    return end !== undefined && this.#clock.now() < end;
  }

  /** True while it lives; each use makes it live on. */
  renew(secret: string): boolean {
    const key = digest(secret);
    if (!this.redeem(secret)) return false;
    this.#live.set(key, this.#clock.now() + this.#ttlMs);
    return true;
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [key, end] of this.#live) {
      if (end > now && this.#live.size < this.#max) break;
      this.#live.delete(key);
    }
  }
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
