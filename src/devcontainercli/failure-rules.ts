import { shorten } from '../text/plain-text.ts';

/** How a known cause of a failure is told by what a program wrote. */
export interface FailureRule {
  /** Sees one line of at most 1,000 characters, and the one after it. */
  readonly pattern: RegExp;
  /** Only the last line counts: what it says is a cause only when nothing was said after it. */
  readonly isLastWord?: boolean | undefined;
  readonly reason: (match: RegExpExecArray) => string;
  /** What a person can do. */
  readonly next: string;
}

const MAX_NAME = 200;

export const NO_ENGINE: FailureRule = {
  pattern:
    /(cannot connect to (?:the |docker|podman)[^\n]*|couldn't connect to docker daemon[^\n]*|error while fetching server api version[^\n]*|permission denied while trying to connect[^\n]*|error during connect[^\n]*)/i,
  reason: ([, said = '']) => said.replace(/\s*(?:Is the docker daemon running|[-–] is it running)\?\s*$/i, ''),
  next: 'Check that the container engine is running and that you may use it, then try again',
};

export const ENGINE_LOST: FailureRule = {
  pattern: /error waiting for container: /,
  reason: () => 'the connection to the container engine was lost',
  next: 'Check that the container engine is running, then try again',
};

export const ENGINE_CUT_OFF: FailureRule = {
  ...ENGINE_LOST,
  pattern: /^(?:error: )?(?:unexpected EOF$|(?:failed to receive status: )?rpc error: code = Unavailable )/i,
  isLastWord: true,
};

export const ENDED_AT_ONCE: FailureRule = {
  pattern:
    /Container [0-9a-f]{12,64} is not running|container is not running|Container is restarting|can only create exec sessions on running containers/,
  reason: () => 'its command ended at once',
  next: 'Read its output, correct its command, or leave `overrideCommand` at its default, and try again',
};

export const FULL: FailureRule = {
  pattern: /no space left on device|ENOSPC|disk quota exceeded/i,
  reason: () => 'there is no space left on the disk',
  next: 'Free some space for the container engine and for temporary files, and try again',
};

/** The first that fits counts: what is particular stands before what is general. */
export const FAILURE_RULES: readonly FailureRule[] = [
  NO_ENGINE,
  ENGINE_LOST,
  ENGINE_CUT_OFF,
  FULL,
  {
    pattern: /lockfile does not/i,
    reason: () => 'the lock file of the features does not match the configuration',
    next: 'Bring the lock file up to date with `devcontainer upgrade`, or delete it, and try again',
  },
  {
    pattern: /the expected container does not exist/i,
    reason: () => 'the container does not exist any more',
    next: 'Recreate it',
  },
  // Names.
  {
    pattern: /(invalid reference format[^\n]*)/,
    reason: ([, said = '']) => `the name of the image cannot be one (${said})`,
    next: 'Correct the name and try again',
  },
  {
    pattern: /pull access denied for ([^\s,]+)|(requested access to the resource is denied|unauthorized: [^\n]*)/,
    reason: ([, image, said = '']) =>
      image === undefined
        ? `the registry refused access (${said})`
        : `the image ${image} does not exist, or its registry wants to know who you are`,
    next: 'Correct the name of the image, or log in to its registry, and try again',
  },
  {
    pattern: /manifest for (\S+) not found|(?:^|\s)([\w.\-/]{1,255}:[\w.-]{1,128}): not found\b|manifest unknown/,
    reason: ([, one, other]) => {
      const image = one ?? other;
      return image === undefined ? 'the image does not exist' : `the image ${image} does not exist`;
    },
    next: 'Correct the name or tag of the image and try again',
  },
  {
    pattern:
      /dial tcp: lookup (\S+)(?: on \S+)?: (no such host|i\/o timeout|[^\n"]*temporary failure[^\n"]*|server misbehaving)/,
    reason: ([, host, said]) => `${host} could not be reached (${said})`,
    next: 'Check the network and the name of the image, and try again',
  },
  {
    pattern: /getaddrinfo (ENOTFOUND|EAI_AGAIN) (\S+)|connect (ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH) (\S+)/,
    reason: ([, one, host, other, address]) => `${host ?? address} could not be reached (${one ?? other})`,
    next: 'Check the network and the names of image and features, and try again',
  },
  {
    pattern:
      /(?:Get|Head|failed to do request: \w+) "https?:\/\/([^/"]+)[^"]*": ([^\n]*(?:timeout|timed out|connection refused|unreachable|reset|certificate|deadline exceeded|Timeout)[^\n]*)/,
    reason: ([, host, said = '']) => `${host} could not be reached (${said})`,
    next: 'Check the network and the name of the image, and try again',
  },
  // Dockerfiles and features. Line numbers are those of a file that the CLI made, and say nothing to people.
  {
    pattern:
      /dockerfile parse error(?: on)? line \d+: ([^\n]*)|Error parsing Dockerfile: ([^\n]*)|Build error: (Unknown instruction: "[^"\n]*")/i,
    reason: ([, one, other, podman]) =>
      `the Dockerfile cannot be understood: ${one ?? other ?? podman?.replace(/^U/, 'u').replaceAll('"', '')}`,
    next: 'Correct it and try again',
  },
  {
    pattern:
      /(?:COPY|ADD) failed: file not found in build context[^\n]*?: stat ([^\s:]+): |(?:failed to compute cache key|failed to calculate checksum)[^\n]*?"\/?([^"\n]+)":? not found|building at STEP "(?:COPY|ADD) [^\n]*copier: stat: "\/?([^"\n]+)": no such file/,
    reason: ([, one, other, podman]) =>
      `the Dockerfile copies ${one ?? other ?? podman}, which is not in the build context`,
    next: 'Correct the path, the build context or the .dockerignore file, and try again',
  },
  {
    pattern: /ERROR: Feature "([^"\n]*)" [^\n]*failed to install!/,
    reason: ([, name]) => `the feature ${name} failed to install`,
    next: 'Read its output, correct its options or remove it, and try again',
  },
  {
    pattern:
      /The command '([^\n]*)' returned a non-zero code: (\d+)|process "([^\n]*)" did not complete successfully: exit code: (\d+)|executor failed running \[([^\n]*)\]: exit code: (\d+)|building at STEP "RUN ([^\n]*)": while running runtime: exit status (\d+)/,
    reason: ([, one, oneCode, two, twoCode, three, threeCode, four, fourCode]) => {
      const command = (one ?? two ?? three ?? four ?? '').replace(/^\/bin\/sh -c /, '');
      return `\`${shorten(command, MAX_NAME)}\` exited with code ${oneCode ?? twoCode ?? threeCode ?? fourCode}`;
    },
    next: 'Correct that command of the Dockerfile and try again',
  },
  {
    pattern: /ENOENT: no such file or directory, \w+ '([^'\n]+)\/devcontainer-feature\.json'/,
    reason: ([, folder]) => `there is no feature in ${folder}`,
    next: 'Correct the path of the feature and try again',
  },
  {
    pattern: /is missing one of "image", "dockerFile" or "dockerComposeFile" properties|No image information specified/,
    reason: () => 'the configuration names neither an image nor a Dockerfile nor a compose file',
    next: 'Add one of `image`, `build` and `dockerComposeFile`, and try again',
  },
  // Compose.
  {
    // The second is said when a file of ours names the service too.
    pattern:
      /Service '([^'\n]*)' configured in devcontainer\.json not found in Docker Compose configuration|service "?([^\s"]+)"? has neither an image nor a build context/i,
    reason: ([, one, other]) => `the compose files have no service ${one ?? other}, or give it no image`,
    next: 'Correct the property `service`, or add it to a compose file, and try again',
  },
  {
    pattern:
      /yaml\.[\w.]{1,80}Error: ([^\n]*)\n\s*in "([^"\n]+)", line (\d+)|((?:parsing \S+: )?yaml: (?:line \d+: )?[^\n]*)|((?:validating|parsing) \S+: [^\n]*)|The Compose file '([^'\n]*)' is invalid because:\s*([^\n]*)/,
    reason: ([, said, file, line, yaml, validating, invalid, because]) => {
      if (file !== undefined) return `${file} is no valid YAML near line ${line} (${said})`;
      return invalid === undefined
        ? `a compose file is not valid: ${yaml ?? validating}`
        : `${invalid} is not valid: ${because}`;
    },
    next: 'Correct the compose file and try again',
  },
  {
    pattern: /\[Errno 2\] No such file or directory: '([^'\n]*)'|\bopen (\/[^\n]*): no such file or directory/,
    reason: ([, one, other]) => `there is no file ${one ?? other}`,
    next: 'Correct its path and try again',
  },
  {
    pattern: /ENOENT: no such file or directory, \w+ '([^'\n]+)'/,
    reason: ([, path]) => `there is no file ${path}`,
    next: 'Correct its path and try again',
  },
  {
    pattern: /spawn (\S+) ENOENT/,
    reason: ([, program]) => `the program ${program} was not found on this machine`,
    next: 'Install it, or name its right path, and try again',
  },
  // Containers.
  {
    pattern: /Bind for (\S+) failed: port is already allocated|listen \w+ (\S+): bind: address already in use/,
    reason: ([, one, other]) => `the address ${one ?? other} is in use already`,
    next: 'End what uses that port, or choose another one, and try again',
  },
  {
    pattern: /container name "\/?([^"\n]+)" is already in use by (?:container "?)?([0-9a-f]{12})/,
    reason: ([, name, id]) => `the name ${name} is taken by the container ${id}`,
    next: 'Remove or rename that container, or choose another name, and try again',
  },
  {
    pattern: /bind source path does not exist: ([^\n]+)/,
    reason: ([, path]) => `the directory ${path}, which is to be mounted, does not exist`,
    next: 'Create it, or correct the mount, and try again',
  },
  {
    pattern: /invalid argument "([^\n]*)" for "([^"\n]+)" flag: ([^\n]*)/,
    reason: ([, value = '', flag, said]) =>
      `the engine does not accept \`${shorten(value, MAX_NAME)}\` for ${flag} (${said})`,
    next: 'Correct the mounts or runArgs and try again',
  },
  {
    pattern: /unknown (?:shorthand )?flag: ([^\n]+)/,
    reason: ([, flag]) => `the engine does not know the option ${flag}`,
    next: 'Correct the runArgs and try again',
  },
  {
    pattern: /unable to find user ([^\s:]+)/,
    reason: ([, user]) => `the image has no user ${user}`,
    next: 'Correct remoteUser or containerUser, or add the user to the image, and try again',
  },
  {
    pattern: /exec format error/,
    reason: () => 'the image is for another platform than this machine',
    next: 'Choose an image for this platform, or install emulation for that of the image, and try again',
  },
  {
    pattern: /exec: "([^"\n]+)": (?:stat [^\n]*: no such file or directory|executable file not found in \$PATH)/,
    reason: ([, program]) => `the image has no program ${program}, which a dev container needs`,
    next: 'Choose an image that has it, and try again',
  },
  {
    pattern: /could not select device driver[^\n]*gpu/i,
    reason: () => 'the engine has no support for GPUs',
    next: 'Install it, or take the GPU out of the configuration, and try again',
  },
  {
    pattern: /custom device "([^"\n]+)": no such file or directory/,
    reason: ([, device]) => `this machine has no device ${device}`,
    next: 'Correct the runArgs and try again',
  },
  {
    pattern: /unable to find network with name or ID (\S+): network not found|network (\S+) not found/,
    reason: ([, podman, network]) => `there is no network ${podman ?? network}`,
    next: 'Create it, or correct the runArgs, and try again',
  },
  ENDED_AT_ONCE,
  // The docker client keeps to itself what Podman answers when it is asked for a connection.
  {
    pattern: /unable to upgrade to tcp, received 409/,
    reason: () => 'the engine did not start it, and the docker client does not tell why',
    next: 'Look for a port that is in use, or for the reason in what `docker start` says of the container, and try again',
  },
  {
    pattern: /unable to upgrade to tcp, received 500/,
    reason: () => 'the engine refused to run a command in it, and the docker client does not tell why',
    next: 'Check that the image has the user of remoteUser or containerUser, and try again',
  },
];
