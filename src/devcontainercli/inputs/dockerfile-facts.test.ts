import { describe, expect, it } from 'vitest';
import { dockerfileFacts } from './dockerfile-facts.ts';
import { parseDockerfile } from './dockerfile.ts';

function factsOf(
  text: string,
  settings: { args?: Record<string, string | undefined>; target?: string; contexts?: string[] } = {},
) {
  const parsed = parseDockerfile(text);
  if ('error' in parsed || !parsed.instructions) throw new Error('it must be readable');
  const { args = {}, target, contexts = [] } = settings;
  return dockerfileFacts(parsed.instructions, {
    args: new Map(Object.entries(args)),
    target,
    contexts: new Set(contexts),
  });
}

describe('images', () => {
  it.each<[string, string[]]>([
    ['FROM a:1', ['a:1']],
    ['FROM --platform=$BUILDPLATFORM a:1 AS x\nFROM x\nFROM X', ['a:1']],
    ['FROM scratch', []],
    ['ARG V=1\nFROM a:$V', ['a:1']],
    ['ARG V=1\nARG W=${V}-slim\nFROM a:${W}', ['a:1-slim']],
    ['ARG V\nFROM a:${V:-2}', ['a:2']],
    ['FROM a:${V:-2}', ['a:2']],
    ['ARG V="1"\nFROM "a:$V"', ['a:1']],
    ["ARG V='1'\nFROM a:$V", ['a:1']],
    ['ARG A=1 B=2\nFROM a:$A$B', ['a:12']],
    ['FROM a\nCOPY --from=b:1 /x /\nCOPY --from=0 /x /', ['a', 'b:1']],
    ['FROM a AS one\nFROM b\nCOPY --from=one /x /\nRUN --mount=type=bind,from=c,target=/x true', ['a', 'b', 'c']],
  ])('of %j are %j', (text, images) => expect(factsOf(text)).toMatchObject({ images, unknown: [] }));

  it('take build arguments before defaults, for declared names alone', () => {
    expect(factsOf('ARG V=1\nFROM a:$V', { args: { V: '2' } }).images).toEqual(['a:2']);
    expect(factsOf('FROM a:$V', { args: { V: '2' } }).images).toEqual(['a:']);
    expect(factsOf('ARG V=1\nFROM a:$V\nFROM b', { args: { V: undefined } })).toMatchObject({
      images: ['b'],
      unknown: ['FROM a:$V'],
    });
  });

  it('end with the target, by name or number', () => {
    const text = 'FROM a AS one\nFROM b AS Two\nCOPY b /\nFROM c\nCOPY c /';
    expect(factsOf(text, { target: 'two' })).toMatchObject({ images: ['a', 'b'], sources: ['b'] });
    expect(factsOf(text, { target: '0' })).toMatchObject({ images: ['a'], sources: [] });
    expect(factsOf(text, { target: 'gone' }).images).toEqual(['a', 'b', 'c']);
  });

  it('are not those of the platform that is built for, nor named contexts', () => {
    expect(factsOf('FROM a:$TARGETARCH')).toMatchObject({ images: [], unknown: ['FROM a:$TARGETARCH'] });
    expect(factsOf('FROM a\nCOPY --from=ctx /x /', { contexts: ['ctx'] }).images).toEqual(['a']);
  });
});

describe('sources', () => {
  it.each<[string, string[]]>([
    ['COPY a b /', ['a', 'b']],
    ['ADD a /', ['a']],
    ['COPY . .', ['.']],
    ['COPY ["a b", "c", "/"]', ['a b', 'c']],
    ['COPY --chown=1:1 --link ["a", "/"]', ['a']],
    ['COPY [abc].txt /', ['[abc].txt']],
    ['COPY [a] b] /', ['[a]', 'b]']],
    ['COPY [a][b]', []],
    ['COPY --from=x a /', []],
    ['ADD https://example.com/x git@example.com:x.git git://x a /', ['a']],
    ['COPY <<E /x\na\nE', []],
    ['COPY a \\\n  b /', ['a', 'b']],
    ['COPY "a" \'b\' /', ['a', 'b']],
    ['ARG D=x\nCOPY $D/f /', ['x/f']],
    ['ENV D=x E=$D\nENV F y\nCOPY ${D}/f $F /', ['x/f', 'y']],
    ['RUN --mount=type=bind,target=/src true', ['.']],
    [
      'RUN --mount=type=bind,source=pkg,target=/src --mount=target=/x,src=y --mount=type=cache,target=/c true',
      ['pkg', 'y'],
    ],
    ['ONBUILD COPY a /', []],
  ])('of %j are %j', (text, sources) => expect(factsOf(`FROM a\n${text}`)).toMatchObject({ sources, unknown: [] }));

  it('are not known by a variable that the image may set', () => {
    expect(factsOf('FROM a\nCOPY $APP/f b /')).toMatchObject({ sources: ['b'], unknown: ['COPY $APP/f'] });
  });

  it('see arguments of the beginning only when the stage declares them again', () => {
    expect(factsOf('ARG D=x\nFROM a\nCOPY $D /')).toMatchObject({ sources: [], unknown: ['COPY $D'] });
    expect(factsOf('ARG D=x\nFROM a\nARG D\nCOPY $D /').sources).toEqual(['x']);
  });
});

it.each([
  ['ARG', 'ARG'],
  ['ENV', 'ENV'],
])('variables of %s that are made of one another are read only as far as they stay short', (_what, keyword) => {
  const lines = Array.from({ length: 30 }, (_, i) => `${keyword} A${i + 1}=${`\${A${i}}`.repeat(10)}`);
  const facts = factsOf(`FROM a\n${keyword} A0=0123456789\n${lines.join('\n')}\nCOPY $A2 $A30 /`);
  expect(facts).toMatchObject({ sources: ['0123456789'.repeat(100)], unknown: ['COPY $A30'] });
});

it('100,000 instructions are read in bounded time', () => {
  const many = Array.from({ length: 50_000 }, (_, i) => `ENV A${i}=$A${i - 1}\nCOPY a${i} /`).join('\n');
  expect(factsOf(`FROM a\n${many}`).sources).toHaveLength(50_000);
}, 5_000);
