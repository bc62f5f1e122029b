import { describe, expect, it } from 'vitest';
import { soundsSecret } from './secret-names.ts';

describe('names of secrets', () => {
  it.each(['GITHUB_TOKEN', 'dbPassword', 'API_KEY', 'SSH_PRIVATE_KEY', 'client-secret', 'NPM_AUTH', 'passphrase'])(
    '%s is one',
    (name) => expect(soundsSecret(name)).toBe(true),
  );
  it.each(['PATH', 'GIT_AUTHOR_NAME', 'EDITOR', 'version', 'PASSIVE'])('%s is none', (name) => {
    expect(soundsSecret(name)).toBe(false);
  });
});
