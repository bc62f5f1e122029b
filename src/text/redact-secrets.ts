import { createLineCursor } from './line-cursor.ts';
import { isSecretInput, soundsSecret } from './secret-names.ts';
import { secretAfter } from './secret-after.ts';
import { withoutKeys, withoutTokens } from './secret-shapes.ts';

const MARK = '[redacted]';
/** Options with their dashes too. Begins where no name goes on before it, so that each is looked at once. */
const NAME = /(?<![\w.-])-{0,2}\w[\w.-]{0,255}(?![\w.-])/g;

/**
 * Takes out of a file's text what people should not read over somebody's shoulder: values of names that sound like
 * secrets, private keys, passwords in URLs and tokens that are known by their shape. In doubt more is taken out.
 *
 * `name` is what the text itself is called, as inputs are: a property of a configuration or a path. Takes a time in
 * proportion to the text, whatever it is.
 */
export function redactSecrets(name: string, text: string): string {
  if (isSecretInput(name)) return MARK;
  return withoutTokens(withoutNamed(withoutKeys(text, MARK)), MARK);
}

function withoutNamed(text: string): string {
  const parts: string[] = [];
  const lines = createLineCursor(text);
  let last = 0;
  const names = new RegExp(NAME);
  for (let match = names.exec(text); match !== null; match = names.exec(text)) {
    if (!soundsSecret(match[0])) continue;
    const secret = secretAfter(text, { from: match.index, name: match[0], line: lines.at(match.index) });
    if (secret === undefined || secret.to <= secret.from) continue;
    parts.push(text.slice(last, secret.from), MARK);
    last = secret.to;
    names.lastIndex = secret.to;
  }
  parts.push(text.slice(last));
  return parts.join('');
}
