import type { Clock } from '../../clock/clock.ts';
import { errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { PROTOCOL } from './connect-resident.ts';
import { createResidentAgent } from './resident-agent.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { createResidentLink } from './resident-link.ts';
import type { Connected, ResidentLinkParts } from './resident-link.ts';
import { nothingSchema } from './wire.ts';
import type { Hello } from './wire.ts';

/** However many an agent says that there are. */
const MAX_OLDER = 8;

/**
 * Connects to the agents of binaries of before, which still run what they have started, and tells them to end as soon as
 * nothing runs under them. One that cannot be reached is left alone. Never rejects.
 */
export async function connectOlder(
  others: Hello['others'],
  parts: {
    readonly connect: (digest: string, signal: AbortSignal) => Promise<Connected>;
    readonly look: ResidentLinkParts['look'];
    readonly clock: Clock;
    readonly logger: Logger;
    readonly onBusy: () => void;
    readonly signal: AbortSignal;
  },
): Promise<ResidentAgent[]> {
  const { clock, logger, signal } = parts;
  const connecting = (others ?? []).slice(0, MAX_OLDER).map(async ({ digest, protocol, version }) => {
    if (protocol !== PROTOCOL) {
      logger.warn({ version, protocol }, 'An older resident speaks another protocol: what runs under it is left alone');
      return undefined;
    }
    try {
      const connected = await parts.connect(digest, signal);
      const link = createResidentLink(connected, {
        connect: (again) => parts.connect(digest, again),
        look: parts.look,
        clock,
        logger,
      });
      const agent = createResidentAgent(link, { clock, onBusy: parts.onBusy });
      const drain = { doing: 'Draining an older resident', method: 'POST', path: '/v1/drain' } as const;
      agent.request({ ...drain, schema: nothingSchema, mayRepeat: true }).catch((error: unknown) => {
        logger.debug({ version, reason: errorMessage(error) }, 'An older resident could not be told to end');
      });
      return agent;
    } catch (error) {
      logger.debug({ version, reason: errorMessage(error) }, 'An older resident could not be reached');
      return undefined;
    }
  });
  return (await Promise.all(connecting)).filter((agent) => agent !== undefined);
}
