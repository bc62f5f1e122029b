const KEY_BEGINS = /-----BEGIN ([A-Z0-9 ]{1,60})-----/g;
/** What everybody may read. */
const PUBLIC = /CERTIFICATE|PUBLIC|PARAMETERS|SIGNATURE|MESSAGE|CRL/;

/** Without private keys as PEM and PGP write them, also in a string with `\n` in it; one without end goes on to the end. */
export function withoutKeys(text: string, mark: string): string {
  const parts: string[] = [];
  let last = 0;
  const begins = new RegExp(KEY_BEGINS);
  for (let match = begins.exec(text); match !== null; match = begins.exec(text)) {
    if (PUBLIC.test(match[1] ?? '')) continue;
    const ending = text.indexOf('-----END ', begins.lastIndex);
    const end = ending < 0 ? -1 : text.indexOf('-----', ending + 9);
    parts.push(text.slice(last, match.index), mark);
    last = end < 0 ? text.length : end + 5;
    begins.lastIndex = last;
  }
  parts.push(text.slice(last));
  return parts.join('');
}

/** None of their starts lies within another one, so that each character is looked at a few times at most. */
const PASSWORD_IN_URL = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}:\/\/[^/@\s:"']{0,255}:)[^/\s"']{1,4096}@/gi;
const TOKEN_IN_URL = /(?<![a-z0-9+.-])(https?:\/\/)[^/\s:@"']{20,4096}@/gi;
const BEARER = /(?<![\w-])(Bearer[ \t]{1,8})(?=[A-Za-z._~+/=-]{0,64}\d)[\w.~+/=-]{8,8192}/gi;
const TOKENS = new RegExp(
  `(?<![\\w-])(?:${[
    'gh[opsur]_[A-Za-z0-9]{16,255}',
    'github_pat_\\w{20,255}',
    'glpat-[\\w-]{16,255}',
    'xox[abeoprs]-[\\w-]{10,255}',
    'npm_[A-Za-z0-9]{20,255}',
    'hf_[A-Za-z0-9]{20,255}',
    'sk-[\\w-]{20,255}',
    'AKIA[0-9A-Z]{16}',
    'AIza[\\w-]{30,64}',
    'SG\\.[\\w-]{16,64}\\.[\\w-]{16,64}',
    'AGE-SECRET-KEY-1[0-9A-Z]{20,128}',
    'eyJ[\\w-]{10,4096}\\.[\\w-]{10,8192}(?:\\.[\\w-]{0,4096})?',
  ].join('|')})`,
  'g',
);

/** Without what is a secret by its shape, whatever it is called. */
export function withoutTokens(text: string, mark: string): string {
  return text
    .replace(PASSWORD_IN_URL, `$1${mark}@`)
    .replace(TOKEN_IN_URL, `$1${mark}@`)
    .replace(BEARER, `$1${mark}`)
    .replace(TOKENS, mark);
}
