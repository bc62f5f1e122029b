import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { redactSecrets } from './redact-secrets.ts';

const R = '[redacted]';
const redact = (text: string): string => redactSecrets('./file', text);

describe('redaction of secrets in files', () => {
  it.each([
    // JSON
    ['a JSON property', '  "API_TOKEN": "s3cret",', `  "API_TOKEN": "${R}",`],
    ['a property among others', '{"remoteEnv":{"TOKEN":"s3cret"},"a":"b"}', `{"remoteEnv":{"TOKEN":"${R}"},"a":"b"}`],
    ['a property with escapes', '{"TOKEN": "s3\\"cret", "A": "b"}', `{"TOKEN": "${R}", "A": "b"}`],
    ['a number', '{"PIN_SECRET":12345,"A":1}', `{"PIN_SECRET":${R},"A":1}`],
    ['a number on its line', '  "PIN_SECRET": 12345,', `  "PIN_SECRET": ${R},`],
    ['a list', '  "TOKEN": [\n    "s3cret",\n    "s3]cret"\n  ],\n  "A": "b"', `  "TOKEN": ${R},\n  "A": "b"`],
    ['a list without indentation', '{\n"TOKEN": [\n"s3cret"\n],\n"A": "b"\n}', `{\n"TOKEN": ${R},\n"A": "b"\n}`],
    ['a list on one line', '{"TOKEN":["s3cret"],"A":"b"}', `{"TOKEN":${R},"A":"b"}`],
    ['an object', '  "credentials": {\n    "user": "s3cret"\n  }', `  "credentials": ${R}`],
    ['a list without end', '"TOKEN": [\n"s3cret"', `"TOKEN": ${R}`],
    ['a value on the next line', '{\n"TOKEN":\n"s3cret",\n"A": "b"\n}', `{\n"TOKEN":\n${R},\n"A": "b"\n}`],
    ['a value within a text', '"cmd": "env TOKEN=s3cret make",', `"cmd": "env TOKEN=${R} make",`],
    ['a quoted value within a text', '"cmd": "env TOKEN=\\"s3 cret\\" make",', `"cmd": "env TOKEN=\\"${R}\\" make",`],
    ['a text that begins with it', '"cmd": "TOKEN=s3cret make",', `"cmd": "TOKEN=${R}",`],
    ['an argument', '["-e", "TOKEN=s3 cret", "-e", "A=b"]', `["-e", "TOKEN=${R}", "-e", "A=b"]`],
    ['an argument in pieces', 'RUN x "TOKEN="s3cret y', `RUN x "TOKEN="${R} y`],
    ['an argument and its value', '["--token", "s3 cret", "--a", "b"]', `["--token", "${R}", "--a", "b"]`],
    ['the same on lines', '  "--password",\n  "s3cret",\n  "b"', `  "--password",\n  "${R}",\n  "b"`],
    ['the default of a variable', '"A": "${localEnv:TOKEN:s3cret}b"', `"A": "\${localEnv:TOKEN:${R}}b"`],
    // YAML
    ['a YAML pair', '      MY_SECRET: s3cret', `      MY_SECRET: ${R}`],
    ['a pair of several words', 'MY_SECRET: s3 "c\'ret, b\nA: b', `MY_SECRET: ${R}\nA: b`],
    ['a YAML list item', '      - AWS_SECRET_ACCESS_KEY=s3cret', `      - AWS_SECRET_ACCESS_KEY=${R}`],
    ['a list item of several words', '  - DB_PASSWORD=s3 cret\n  - A=b', `  - DB_PASSWORD=${R}\n  - A=b`],
    ['a quoted list item', '  - "DB_PASSWORD=s3 cret"\n  - A=b', `  - "DB_PASSWORD=${R}"\n  - A=b`],
    ['a block text', 'TOKEN: |\n  s3cret\n\n  more\nA: b', `TOKEN: ${R}\nA: b`],
    ['a folded text', '  TOKEN: >-\n    s3cret\n  A: b', `  TOKEN: ${R}\n  A: b`],
    ['a text over lines', 'TOKEN: s3cret\n  more\nA: b', `TOKEN: ${R}\nA: b`],
    ['a quoted text over lines', 'TOKEN: "s3cret\n  more"\nA: b', `TOKEN: "${R}"\nA: b`],
    ['a value below', 'TOKEN:\n  s3cret\nA: b', `TOKEN:${R}\nA: b`],
    ['a list below', 'TOKEN:\n- s3cret\n- more\nA: b', `TOKEN:${R}\nA: b`],
    ['a value in a list of maps', '- TOKEN: |\n    s3cret\n  A: b', `- TOKEN: ${R}\n  A: b`],
    ['a tagged value', 'TOKEN: !!str |\n  s3cret\nA: b', `TOKEN: ${R}\nA: b`],
    ['flow style', '{TOKEN: s3cret, A: b}', `{TOKEN: ${R}, A: b}`],
    ['single quotes', "TOKEN: 's3''cret'\nA: b", `TOKEN: '${R}'\nA: b`],
    ['a default of compose', 'A: ${DB_PASSWORD:-s3cret}/b', `A: \${DB_PASSWORD:-${R}}/b`],
    ['a plain default of compose', 'A: ${DB_PASSWORD-s3-cret}/b', `A: \${DB_PASSWORD-${R}}/b`],
    // Env files
    ['an assignment', 'DB_PASSWORD=s3cret', `DB_PASSWORD=${R}`],
    ['a quoted assignment', 'DB_PASSWORD="s3 cret"\nA=b', `DB_PASSWORD="${R}"\nA=b`],
    ['an assignment over lines', 'KEY_SECRET="s3\ncret"\nA=b', `KEY_SECRET="${R}"\nA=b`],
    ['an assignment without end', 'KEY_SECRET="s3\ncret\nA=b', `KEY_SECRET="${R}`],
    ['an export', 'export TOKEN=s3cret', `export TOKEN=${R}`],
    ['a comment', '# TOKEN=s3cret', `# TOKEN=${R}`],
    ['spaces around', 'TOKEN = s3cret', `TOKEN = ${R}`],
    ['the configuration of npm', '//registry.example/:_authToken=s3cret', `//registry.example/:_authToken=${R}`],
    ['a netrc', 'machine x login me password s3cret', `machine x login me password ${R}`],
    // Dockerfiles
    ['a Dockerfile line', 'ENV GH_TOKEN s3cret', `ENV GH_TOKEN ${R}`],
    ['one of several variables', 'ENV A=b GH_TOKEN="s3cret" C=d', `ENV A=b GH_TOKEN="${R}" C=d`],
    ['a quoted variable with space', 'ENV A=b GH_TOKEN="s3 cret"', `ENV A=b GH_TOKEN="${R}"`],
    ['a variable in pieces', 'ENV GH_TOKEN=a"s3 cret"b\\ c D=e', `ENV GH_TOKEN=${R} D=e`],
    ['a variable with an escape', 'ENV GH_TOKEN=s3\\ cret A=b', `ENV GH_TOKEN=${R} A=b`],
    ['lines that go on', 'ENV A=b \\\n    GH_TOKEN=s3cret \\\n    C=d', `ENV A=b \\\n    GH_TOKEN=${R}\n    C=d`],
    ['a value that goes on', 'ENV GH_TOKEN=s3\\\ncret\nRUN a', `ENV GH_TOKEN=${R}\nRUN a`],
    ['a value on a line of its own', 'ENV GH_TOKEN \\\n  s3cret\nRUN a', `ENV GH_TOKEN ${R}\nRUN a`],
    ['an argument of a build', 'ARG NPM_TOKEN=s3cret', `ARG NPM_TOKEN=${R}`],
    ['an inline assignment', 'RUN curl -H x NPM_TOKEN=s3cret build', `RUN curl -H x NPM_TOKEN=${R} build`],
    ['an export in a command', 'RUN export TOKEN="s3cret" && make', `RUN export TOKEN="${R}" && make`],
    ['an assignment before a command', "RUN TOKEN='s3cret' make", `RUN TOKEN='${R}' make`],
    ['an assignment in a text', `RUN sh -c 'cd x; TOKEN=s3cret make'`, `RUN sh -c 'cd x; TOKEN=${R} make'`],
    ['a flag', 'RUN login --password s3cret --user me', `RUN login --password ${R} --user me`],
    ['a flag with =', 'RUN login --password="s3 cret" me', `RUN login --password="${R}" me`],
    ['a header', 'RUN curl -H "Authorization: Bearer ghp_s3cret" x', `RUN curl -H "Authorization: ${R}" x`],
    ['a header in single quotes', `RUN curl -H 'X-Api-Key: s3cret' x`, `RUN curl -H 'X-Api-Key: ${R}' x`],
    ['a header without space', 'RUN curl -H X-Api-Key:s3cret x', `RUN curl -H X-Api-Key:${R} x`],
    ['a header alone', 'Authorization: Bearer ghp_s3cret', `Authorization: ${R}`],
    ['a query', 'ADD https://x.example/a?token=s3cret&b=c /', `ADD https://x.example/a?token=${R}&b=c /`],
    // Names
    ...[
      ...['DB_PASS', 'PGPASS', 'MYSQL_PWD', 'PGPASSWORD', 'GH_PAT', 'SSH_PASSPHRASE', 'dbPass', 'apiKey', 'NPM_AUTH'],
      ...['my-secret', 'x.token', '2FA_SECRET', 'clientSecret', 'JWT', 'SIGNING_KEY', 'CREDENTIALS'],
    ].map((name) => [`the value of ${name}`, `${name}=s3cret`, `${name}=${R}`]),
    // Anywhere
    ['a password in a URL', 'FROM x # https://me:s3cret@host/x', `FROM x # https://me:${R}@host/x`],
    ['a password with @', 'a postgres://me:s3@cret@host/x', `a postgres://me:${R}@host/x`],
    ['a URL that is a token', 'git clone https://0123456789abcdef0123@x/y', `git clone https://${R}@x/y`],
    ['a token by its shape', `echo ghp_${'a1'.repeat(18)} x`, `echo ${R} x`],
    ['a token of a bearer', 'curl "Bearer abc123def456"', `curl "Bearer ${R}"`],
    [
      'a private key',
      'a\n-----BEGIN OPENSSH PRIVATE KEY-----\ns3cret\n-----END OPENSSH PRIVATE KEY-----\nb',
      `a\n${R}\nb`,
    ],
    [
      'a private key in JSON',
      '"a": "-----BEGIN PRIVATE KEY-----\\ns3cret\\n-----END PRIVATE KEY-----\\n"',
      `"a": "${R}\\n"`,
    ],
    ['a private key without end', 'a\n-----BEGIN RSA PRIVATE KEY-----\ns3cret', `a\n${R}`],
    [
      'a private key that is indented',
      '  a: |\n    -----BEGIN PRIVATE KEY-----\n    s3cret\n    -----END PRIVATE KEY-----',
      `  a: |\n    ${R}`,
    ],
    ['a message of PGP', '-----BEGIN PGP PRIVATE KEY BLOCK-----\ns3cret\n-----END PGP PRIVATE KEY BLOCK-----', R],
  ])('takes out %s', (_what, text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it.each([
    'RUN apt-get install keychain',
    'RUN apt-get install -y libsecret-1-dev passwd curl',
    '    libsecret-1-0 \\\n    passwd \\\n    curl',
    '  "image": "debian:12",',
    'KEYBOARD=us',
    'PWD=/x',
    'COMPASS=1',
    'BYPASS=1',
    'PATH=/bin',
    '  "secrets": {\n    "A": "b"\n  }',
    'secrets:\n  db:\n    file: ./db.txt',
    'COPY monkey.txt /',
    'PUBLIC_KEY=abc',
    'POSTGRES_PASSWORD_FILE=/run/secrets/x',
    'RUN --mount=type=secret,id=npmrc npm ci',
    'RUN docker build --secret id=npmrc .',
    'image: registry.example/auth-token-service:1.2',
    'ARG NPM_TOKEN',
    'TOKEN=',
    'environment:\n  TOKEN:\n  A: b',
    '["-e", "TOKEN=", "-e", "A=b"]',
    'RUN echo $TOKEN ${TOKEN} ${DB_PASSWORD:?must be set}',
    '"A": "${localEnv:TOKEN}"',
    'FROM ssh://git@host/x https://user@host/y http://host:8080/z@1',
    '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----',
    'SSH_AUTH_SOCK=/tmp/agent',
  ])('leaves %j alone', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('leaves what stands beside a secret', () => {
    const text = 'A=b\nTOKEN=s3cret\nC=d\n\nsome: text\n  TOKEN: s3cret\n  other: text\n';
    expect(redact(text)).toBe(text.replaceAll('s3cret', R));
  });
});

describe('what is called like a secret', () => {
  it.each<[string, boolean]>([
    ['MY_TOKEN', true],
    ['password', true],
    ['remoteEnv', false],
    ['secrets', false],
    ['image token-service', false],
    ['./src/token.ts', false],
    ['./Dockerfile', false],
    ['./secrets/db', true],
    ['./db_password', true],
    ['./api-token.txt', true],
    ['./.npmrc', true],
    ['./home/.netrc', true],
    ['./id_ed25519', true],
    ['./id_ed25519.pub', false],
    ['./tls/server.key', true],
    ['./tls/server.pem', true],
  ])('%s is taken out as a whole: %s', (name, whole) => {
    expect(redactSecrets(name, 'some text')).toBe(whole ? R : 'some text');
  });
});

const LENGTH = 64 * 1024;
describe('takes a time in proportion to a text of', () => {
  it.each([
    ...['a', ' ', '"', "'", '\\', '\n', '-', '=', ':', '[', '{', '$', '.', '_', '#', ','],
    ...[
      'http://',
      'http://x',
      'TOKEN',
      'TOKEN=',
      'TOKEN: ',
      'TOKEN=" ',
      "TOKEN='",
      'TOKEN=\\',
      'TOKEN:\n',
      'TOKEN:\n ',
    ],
    ...['TOKEN: [', 'TOKEN: {', '"TOKEN":', '"TOKEN", ', '--token ', 'password ', 'login password ', '${TOKEN:-', '${'],
    ...[
      'eyJ',
      'eyJ-',
      'sk-',
      'Bearer ',
      '-----BEGIN ',
      '-----BEGIN A-----',
      '-----BEGIN CERTIFICATE-----',
      'ENV TOKEN ',
    ],
    ...['TOKEN   ', 'TOKEN=a" ', "TOKEN=a' ", ' \n', 'a@', 'x://a:', 'a-', 'A_', '\\"', 'TOKEN=\\"'],
  ])(
    '%j',
    (piece) => {
      redact(piece.repeat(Math.ceil(LENGTH / piece.length)));
      redact(`http://${piece.repeat(Math.ceil(LENGTH / piece.length))}`);
      redact(`TOKEN: [${piece.repeat(Math.ceil(LENGTH / piece.length))}`);
    },
    5_000,
  );
});

property.prop([
  fc.array(
    fc.constantFrom(
      'TOKEN',
      '"',
      "'",
      '=',
      ':',
      ' ',
      '\n',
      '\\',
      '[',
      ']',
      '{',
      '}',
      ',',
      '- ',
      'ENV ',
      '${',
      '--',
      'a',
    ),
    { maxLength: 30 },
  ),
])('never fails, and changes nothing where no name and no shape of a secret is', (parts) => {
  redact(parts.join(''));
  const harmless = parts.map((part) => (part === 'TOKEN' ? 'NAME' : part)).join('');
  expect(redact(harmless)).toBe(harmless);
});

property.prop([
  fc.constantFrom('', '  ', '- ', 'ENV A=b ', 'RUN ', 'export ', '# ', '{"a":"b", '),
  fc.constantFrom('TOKEN', '"TOKEN"', 'DB_PASS'),
  fc.constantFrom('=', ': ', ' = '),
  fc.constantFrom('', '"', "'"),
  fc.constantFrom('', '\n', '\nA: b', ' C=d', ', "x": "y"}'),
])('never shows the word after such a name', (before, name, separator, quote, after) => {
  expect(redact(`${before}${name}${separator}${quote}s3cret${quote}${after}`)).not.toContain('s3cret');
});
