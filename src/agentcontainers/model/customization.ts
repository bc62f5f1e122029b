/** Apps that a sub-agent can be shown with. */
export type DisplayApp = 'vscode' | 'vscode_insiders' | 'web_terminal' | 'ssh_helper' | 'port_forwarding_helper';

/** An app shown beside the sub-agent. `slug` is unique within one sub-agent; everything else is passed on. */
export interface SubAgentApp {
  readonly slug: string;
  readonly [property: string]: unknown;
}

/** What the merged configuration says about the sub-agent. */
export interface Customization {
  /** Chosen by the user; never altered. */
  readonly name?: string | undefined;
  readonly ignore: boolean;
  readonly autoStart: boolean;
  /** In a fixed order. */
  readonly displayApps: DisplayApp[];
  readonly apps: SubAgentApp[];
  /** What was left out and why, one sentence each; at most 20. */
  readonly problems: string[];
}

/** Later ones win within one layer. */
const NAMESPACES = ['coder', 'agentcontainers'] as const;

const DISPLAY_APP_DEFAULTS: Readonly<Record<DisplayApp, boolean>> = {
  vscode: true,
  vscode_insiders: false,
  web_terminal: true,
  ssh_helper: true,
  port_forwarding_helper: true,
};

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const MAX_NAME_LENGTH = 64;
const MAX_SLUG_LENGTH = 64;
const MAX_LAYERS = 200;
/** Over all layers, before equal slugs are dropped. */
const MAX_APPS = 200;
const MAX_APP_CHARACTERS = 16_384;
const MAX_PROBLEMS = 20;

/**
 * Reads `customizations.agentcontainers` and `customizations.coder` of each layer. The last layer is the root: the
 * workspace's own configuration, which alone may say `ignore`, `name` and `autoStart`. Never throws, whatever the
 * values are: what is not understood is left out and named in `problems`.
 */
export function parseCustomization(layers: readonly Record<string, unknown>[]): Customization {
  const problems: string[] = [];
  const problem = (text: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(text);
  };
  const all = elements(layers, problem, 'customizations');
  // The root is the last one, so what is too much is dropped at the front.
  if (all.length > MAX_LAYERS) problem(`Only the last ${MAX_LAYERS} of ${all.length} layers are read.`);
  const read = all.slice(-MAX_LAYERS);

  const enabled = { ...DISPLAY_APP_DEFAULTS };
  const apps = new Map<string, SubAgentApp>();
  const root: { name?: string | undefined; ignore: boolean; autoStart: boolean } = { ignore: false, autoStart: false };
  let appCount = 0;

  for (const [index, layer] of read.entries()) {
    for (const namespace of NAMESPACES) {
      const section = property(layer, namespace);
      if (section === undefined || section === null) continue;
      if (!isRecord(section)) {
        problem(`customizations.${namespace} is not an object.`);
        continue;
      }
      const at = (field: string): string => `customizations.${namespace}.${field}`;

      readDisplayApps(property(section, 'displayApps'), enabled, at('displayApps'), problem);
      for (const value of elements(property(section, 'apps'), problem, at('apps'))) {
        if (++appCount > MAX_APPS) {
          problem(`${at('apps')}: more than ${MAX_APPS} apps in all; the rest is left out.`);
          break;
        }
        const app = readApp(value, at('apps'), problem);
        if (!app) continue;
        // The last of equal slugs wins as a whole and takes its own place in the order.
        apps.delete(app.slug);
        apps.set(app.slug, app);
      }

      if (index !== read.length - 1) continue;
      root.ignore = readBoolean(property(section, 'ignore'), root.ignore, at('ignore'), problem);
      root.autoStart = readBoolean(property(section, 'autoStart'), root.autoStart, at('autoStart'), problem);
      root.name = readName(property(section, 'name'), root.name, at('name'), problem);
    }
  }

  const displayApps = (Object.keys(DISPLAY_APP_DEFAULTS) as DisplayApp[]).filter((app) => enabled[app]);
  return { ...root, displayApps, apps: [...apps.values()], problems };
}

type Problem = (text: string) => void;

function readDisplayApps(value: unknown, into: Record<DisplayApp, boolean>, at: string, problem: Problem): void {
  if (value === undefined || value === null) return;
  if (!isRecord(value)) {
    problem(`${at} is not an object.`);
    return;
  }
  for (const app of Object.keys(into) as DisplayApp[]) {
    into[app] = readBoolean(property(value, app), into[app], `${at}.${app}`, problem);
  }
}

function readApp(value: unknown, at: string, problem: Problem): SubAgentApp | undefined {
  const slug = isRecord(value) ? property(value, 'slug') : undefined;
  if (typeof slug !== 'string' || slug === '' || slug.length > MAX_SLUG_LENGTH || /\p{Cc}/u.test(slug)) {
    problem(`${at}: an app without a usable slug (text of 1 to ${MAX_SLUG_LENGTH} characters) is left out.`);
    return undefined;
  }
  let text: string | undefined;
  try {
    // A copy: plain values only, nothing that is shared with the caller.
    text = JSON.stringify(value);
  } catch {
    // Cyclic, or with a getter that throws.
  }
  if (text === undefined || text.length > MAX_APP_CHARACTERS) {
    problem(
      `${at}: the app ${JSON.stringify(slug)} is left out: not plain JSON of at most ${MAX_APP_CHARACTERS} characters.`,
    );
    return undefined;
  }
  const copy: unknown = JSON.parse(text);
  return isRecord(copy) ? { ...copy, slug } : { slug };
}

function readBoolean(value: unknown, otherwise: boolean, at: string, problem: Problem): boolean {
  if (typeof value === 'boolean') return value;
  if (value !== undefined && value !== null) problem(`${at} is neither true nor false.`);
  return otherwise;
}

function readName(value: unknown, otherwise: string | undefined, at: string, problem: Problem): string | undefined {
  if (typeof value === 'string' && value.length <= MAX_NAME_LENGTH && NAME.test(value)) return value;
  if (value !== undefined && value !== null) {
    problem(`${at} is not a valid name (a-z, 0-9 and single hyphens, at most ${MAX_NAME_LENGTH} characters).`);
  }
  return otherwise;
}

function elements(value: unknown, problem: Problem, at: string): unknown[] {
  if (value === undefined || value === null) return [];
  try {
    if (Array.isArray(value)) return [...(value as unknown[])];
  } catch {
    // Not iterable after all.
  }
  problem(`${at} is not a list.`);
  return [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  try {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** An own property; `undefined` when there is none or reading it throws. */
function property(value: unknown, key: string): unknown {
  try {
    return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  } catch {
    return undefined;
  }
}
