/** Takes secrets out of text that people or logs will see. */
export type Redact = (text: string) => string;

const SECRET_NAME = /TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|KEY/i;
const MIN_LENGTH = 4;
const MARK = '[redacted]';

/**
 * Redacts the values of variables whose name looks like a secret, and the password inside any value that is a URL, such
 * as a proxy. Values under four characters are left alone: they would blank out ordinary text.
 */
export function createRedact(env: Readonly<Record<string, string | undefined>>): Redact {
  const secrets = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (SECRET_NAME.test(name)) for (const line of value.split('\n')) secrets.add(line.trim());
    const password = /^[a-z][a-z0-9+.-]*:\/\/[^/@\s:]*:([^/@\s]+)@/i.exec(value)?.[1];
    if (password !== undefined) {
      secrets.add(password);
      secrets.add(decoded(password));
    }
  }
  // The longest first, so that one secret inside another does not leave a part of the longer one.
  const ordered = [...secrets].filter((secret) => secret.length >= MIN_LENGTH).sort((a, b) => b.length - a.length);
  return (text) => ordered.reduce((rest, secret) => rest.replaceAll(secret, MARK), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
