const IN_NAME =
  /token|secret|passw(?:or)?d|passphrase|passcode|credential|connectionstring|authorization|(?:api|access|private|encryption|signing)key/;
/** Parts of a name, each of which is enough. */
const PARTS: ReadonlySet<string> = new Set(['pass', 'pwd', 'pat', 'jwt', 'cookie']);
/** `pass` without anything between. */
const RUN_TOGETHER = /^(?:admin|db|ftp|ldap|mail|my|mysql|pg|redis|root|smtp|ssh|sudo|user)pass$/;
/** What a name with these at its end says is where something lies. */
const PLACES: ReadonlySet<string> = new Set(['file', 'path', 'dir']);
const HARMLESS: ReadonlySet<string> = new Set(['secrets', 'pwd', 'oldpwd']);
const HARMLESS_KEYS: ReadonlySet<string> = new Set(['public', 'pub', 'primary', 'foreign', 'sort', 'cache']);

/** Does a name of a variable, property, option or header sound as if its value were a secret? */
export function soundsSecret(name: string): boolean {
  const parts = name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((part) => part !== '');
  const whole = parts.join('');
  const last = parts.at(-1) ?? '';
  // `secrets` holds names, in devcontainer.json as in compose files.
  if (HARMLESS.has(whole) || PLACES.has(last)) return false;
  if (IN_NAME.test(whole) || parts.some((part) => PARTS.has(part) || RUN_TOGETHER.test(part))) return true;
  return last === 'auth' || (last === 'key' && parts.length > 1 && !HARMLESS_KEYS.has(parts.at(-2) ?? ''));
}

const SECRET_FILE =
  /^(?:id_[a-z\d]+|\.(?:netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials|dockercfg))$|\.(?:key|pem|p12|pfx|jks|keystore)$/;

/** Does an input hold nothing but secrets? `name` is that of a property, or a path that begins with `/` or `./`. */
export function isSecretInput(name: string): boolean {
  if (name.startsWith('image ')) return false;
  if (!/^\.?\//.test(name)) return soundsSecret(name);
  const [base = '', ...folders] = name.toLowerCase().split('/').toReversed();
  if (SECRET_FILE.test(base)) return true;
  const isText = !base.includes('.') || base.endsWith('.txt');
  return isText && (folders.includes('secrets') || soundsSecret(base.replace(/\.txt$/, '')));
}
