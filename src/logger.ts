/** Where the library writes its log. A pino logger fits as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing; the default of an embedded instance is pino at level `info` (see `default-ports.ts`). */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
