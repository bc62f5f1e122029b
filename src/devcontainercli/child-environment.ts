/**
 * The environment that the devcontainer CLI gets: an allow-list.
 *
 * `${localEnv:NAME}` in a devcontainer.json reads the environment of the CLI, and `initializeCommand` of a workspace
 * runs with it on the host. So nothing of ours gets there unless it is named here:
 * - what any program needs: PATH, HOME, USER, LOGNAME, SHELL, LANG, LANGUAGE, LC_*, TZ, TERM, TMPDIR, XDG_*
 * - proxies, in upper and lower case, and where to find certificate authorities
 * - configuration of the engine's client: DOCKER_CONFIG, DOCKER_CERT_PATH, DOCKER_TLS*, DOCKER_API_VERSION,
 *   DOCKER_BUILDKIT, DOCKER_DEFAULT_PLATFORM, BUILDKIT_*, BUILDX_*, COMPOSE_*, CONTAINERS_*
 * - DOCKER_HOST, but only as given by whoever chose the engine, and the same as Podman's CONTAINER_HOST
 *
 * Left out on purpose: COMPOSE_PROJECT_NAME, COMPOSE_FILE, COMPOSE_ENV_FILES and COMPOSE_PROFILES (they belong to one
 * project and would merge all of them), DOCKER_CONTEXT (it would contradict DOCKER_HOST), NODE_OPTIONS. SSH_AUTH_SOCK is
 * passed only when the engine itself is reached over SSH.
 *
 * Set whatever ours says: what keeps buildx and compose from running git in a workspace, whose configuration of git can
 * name any program. Compose runs it for an `include` from a repository, which therefore does not work.
 */
const NAMES = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TERM',
  'TMPDIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'FTP_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'all_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
  'DOCKER_CONFIG',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS',
  'DOCKER_TLS_VERIFY',
  'DOCKER_API_VERSION',
  'DOCKER_BUILDKIT',
  'DOCKER_DEFAULT_PLATFORM',
]);
const PREFIXES = ['LC_', 'XDG_', 'BUILDKIT_', 'BUILDX_', 'COMPOSE_', 'CONTAINERS_'];
const NEVER = new Set(['COMPOSE_PROJECT_NAME', 'COMPOSE_FILE', 'COMPOSE_ENV_FILES', 'COMPOSE_PROFILES']);
/** What compose and the CLI obey before all else that names a project; given with each run of a compose configuration. */
const PROJECT_NAME = 'COMPOSE_PROJECT_NAME';
const WITHOUT_GIT = { BUILDX_GIT_INFO: '0', BUILDX_GIT_LABELS: '0', COMPOSE_EXPERIMENTAL_GIT_REMOTE: '0' };

export function childEnvironment(
  source: Readonly<Record<string, string | undefined>>,
  dockerHost: string | undefined,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(source)) {
    if (value === undefined || NEVER.has(name)) continue;
    if (NAMES.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix))) result[name] = value;
  }
  Object.assign(result, WITHOUT_GIT);
  if (dockerHost !== undefined) {
    result['DOCKER_HOST'] = dockerHost;
    result['CONTAINER_HOST'] = dockerHost;
    const agent = source['SSH_AUTH_SOCK'];
    if (dockerHost.startsWith('ssh://') && agent !== undefined) result['SSH_AUTH_SOCK'] = agent;
  }
  return result;
}

/** The same for one project of compose. */
export function withProjectName(
  env: Readonly<Record<string, string>>,
  projectName: string | undefined,
): Readonly<Record<string, string>> {
  return projectName === undefined ? env : { ...env, [PROJECT_NAME]: projectName };
}

/** Whether a run of the CLI may have this variable in its environment, so that what files say of it may not count. */
export function mayBeInEnvironment(name: string): boolean {
  // Asked for an engine that everything is passed on for.
  return name === PROJECT_NAME || Object.hasOwn(childEnvironment({ [name]: 'set' }, 'ssh://engine'), name);
}
