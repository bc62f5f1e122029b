import type { Logger } from '../logger.ts';

type Level = keyof Logger;

export interface LogEntry {
  readonly level: Level;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface RecordingLogger extends Logger {
  /** Everything that was logged, oldest first. */
  readonly entries: readonly LogEntry[];
  /** The messages of one level, oldest first. */
  messages(level: Level): string[];
}

/** Keeps the log, so that a test can ask how often something was said. */
export function createRecordingLogger(): RecordingLogger {
  const entries: LogEntry[] = [];
  const record = (level: Level) => (fields: object, message: string) =>
    void entries.push({ level, fields: { ...fields }, message });
  return {
    entries,
    messages: (level) => entries.filter((entry) => entry.level === level).map(({ message }) => message),
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
  };
}
