import { describe, expect, it } from 'vitest';
import type { FindingKind } from '../../agentcontainers/model/verdict.ts';
import { findingsOf } from './findings-of.ts';
import { fileAt, inputsOf } from '../../../test/support/parsed-inputs.ts';

const SOURCE = './.devcontainer/devcontainer.json';

/** Findings of a configuration as `kind detail`. */
function found(config: Readonly<Record<string, unknown>>): string[] {
  return findingsOf(inputsOf(config)).map(({ kind, detail, source }) => {
    expect(source).toBe(SOURCE);
    return `${kind} ${detail}`;
  });
}

describe('what is harmless', () => {
  it.each<[string, Record<string, unknown>]>([
    ['nothing', {}],
    ['a plain image', { image: 'debian:12', name: 'x', remoteUser: 'dev', updateRemoteUserUID: true, init: true }],
    ['an image with a digest', { image: 'r.example:5000/a/b@sha256:00ff' }],
    ['commands in the container', { onCreateCommand: 'rm -rf /', postStartCommand: { a: ['x'] } }],
    ['an empty initializeCommand', { initializeCommand: '  ' }],
    ['an initializeCommand of no words', { initializeCommand: [] }],
    ['an initializeCommand of no commands', { initializeCommand: {} }],
    ['no initializeCommand', { initializeCommand: null }],
    ['variables of the container', { remoteEnv: { PATH: '${containerEnv:PATH}:/x', A: '${localWorkspaceFolder}' } }],
    ['variables without a name', { remoteEnv: { A: '${localEnv}', B: '${ localEnv:X}', C: '$localEnv:X' } }],
    ['customizations of editors', { customizations: { vscode: { settings: { a: '${env:PATH}' } } } }],
    ['the workspace where it is', { workspaceMount: 'source=${localWorkspaceFolder},target=/ws,type=bind' }],
    ['the workspace by its path', { workspaceMount: 'type=bind,src=/ws/,dst=/x,consistency=cached' }],
    ['no mount of the workspace', { workspaceMount: '', workspaceFolder: '/' }],
    ['the same path inside', { workspaceFolder: '${localWorkspaceFolder}' }],
    ['a folder of a mono repository', { workspaceFolder: '/workspaces/${localWorkspaceFolderBasename}/app' }],
    ['the workspace once more', { mounts: ['type=bind,source=${localWorkspaceFolder},target=/again,readonly'] }],
    ['a volume of its own', { mounts: ['source=home-${devcontainerId},target=/home/dev,type=volume'] }],
    ['a volume without a name', { mounts: [{ type: 'volume', target: '/cache' }] }],
    ['an own volume as an object', { mounts: [{ type: 'volume', source: '${devcontainerId}', target: '/cache' }] }],
    ['memory', { mounts: ['type=tmpfs,target=${containerWorkspaceFolder}/tmp'] }],
    ['rights taken away', { securityOpt: ['no-new-privileges:true'], runArgs: ['--cap-drop=ALL'] }],
    ['no privileges', { privileged: false, capAdd: [], securityOpt: [], mounts: [] }],
    ['ports that editors forward', { forwardPorts: [3000, 'db:5432'], portsAttributes: { 3000: { label: 'x' } } }],
    ['a port as a number', { appPort: 3000 }],
    ['ports on the loopback network', { appPort: [3000, '127.0.0.1:80:8080', '[::1]:1-2:1-2/udp', '127.0.0.2::1'] }],
    ['names of secrets', { secrets: { TOKEN: { description: 'what for' } } }],
    ['a Dockerfile beside it', { build: { dockerfile: 'Dockerfile', context: '..', args: { A: 'b' }, target: 'dev' } }],
    ['the older spelling', { dockerFile: 'Dockerfile', context: '..' }],
    ['a context by variable', { build: { dockerfile: 'Dockerfile', context: '${localWorkspaceFolder}/app' } }],
    ['layers of an image', { build: { dockerfile: 'x', cacheFrom: ['r.example/a:b', 'type'] } }],
    [
      'options of the build',
      { build: { options: ['--no-cache', '--platform=linux/amd64', '--build-arg', 'A=b', '--network=none', '-q'] } },
    ],
    ['requirements', { hostRequirements: { cpus: 4, memory: '8gb' } }],
  ])('%s', (_what, config) => {
    expect(found(config)).toEqual([]);
  });
});

describe('what reaches the host', () => {
  it.each<[string, Record<string, unknown>, ...string[]]>([
    ['a command', { initializeCommand: 'touch /x' }, 'initialize-command initializeCommand: touch /x'],
    ['a program', { initializeCommand: ['a', 'b'] }, 'initialize-command initializeCommand: ["a","b"]'],
    [
      'several commands',
      { initializeCommand: { b: 'y', a: ['x'] } },
      'initialize-command initializeCommand: {"a":["x"],"b":"y"}',
    ],
    [
      'a command that reads variables',
      { initializeCommand: 'echo ${localEnv:TOKEN}' },
      'initialize-command initializeCommand: echo ${localEnv:TOKEN}',
    ],
    ['a variable', { containerEnv: { A: 'x${localEnv:TOKEN}y' } }, 'local-env variable TOKEN'],
    [
      'variables anywhere, with defaults, in its other spelling, half hidden',
      {
        name: '${localEnv:A}',
        postCreateCommand: ['${env:B:default}'],
        features: {},
        'x${localEnv:C}': 1,
        customizations: { agentcontainers: { apps: [{ url: '${localEnv:D}' }] } },
        remoteEnv: { X: '${x${localEnv:E}', Y: '${localEnv:F' },
      },
      ...['A', 'B', 'C', 'D', 'E', 'F'].map((name) => `local-env variable ${name}`),
    ],
    ['privileges', { privileged: true }, 'privilege privileged: true'],
    ['privileges as text', { privileged: 'false' }, 'privilege privileged: "false"'],
    ['privileges as a list', { privileged: [] }, 'privilege privileged: []'],
    ['capabilities', { capAdd: ['SYS_PTRACE'] }, 'privilege capAdd: SYS_PTRACE'],
    ['one capability', { capAdd: 'ALL' }, 'privilege capAdd: ALL'],
    ['security options', { securityOpt: ['seccomp=unconfined'] }, 'privilege securityOpt: seccomp=unconfined'],
    ['a graphics card', { hostRequirements: { gpu: 'optional' } }, 'privilege hostRequirements.gpu: optional'],
    ['a port on all interfaces', { appPort: '8080:80' }, 'privilege appPort: "8080:80"'],
    ['a port as text', { appPort: ['8080'] }, 'privilege appPort: "8080"'],
    ['a port that is no port', { appPort: [['-v', '/:/x']] }, 'privilege appPort: ["-v","/:/x"]'],
    ['an image that is an option', { image: '--volume=/:/x' }, 'run-argument image: --volume=/:/x'],
    [
      'a service that is an option',
      { runServices: ['--force-recreate'] },
      'run-argument runServices: --force-recreate',
    ],
    [
      'a user who writes more of the compose file',
      { containerUser: 'root\n    privileged: true' },
      expect.stringMatching(/^run-argument containerUser: root {5}privileged: true \[sha256 [0-9a-f]{40}\]$/) as string,
    ],
    ['a variable that does so', { containerEnv: { "a'": 'x' } }, "run-argument containerEnv: a'"],
    [
      'properties that an object inherits',
      { ['__proto__']: { workspaceMount: 'source=/,target=/x,type=bind' } },
      'mount a property __proto__: {"__proto__":{"workspaceMount":"source=/,target=/x,type=bind"}}',
    ],
    ['features from elsewhere', { features: { 'r.example/a/b:1': {} } }, 'remote-feature r.example/a/b:1'],
    ['a feature that was not read', { features: { './mine': {} } }, 'remote-feature ./mine'],
    ['features in a list', { features: ['a'] }, 'remote-feature features: ["a"]'],
    [
      'a Dockerfile elsewhere',
      { build: { dockerfile: '../../Dockerfile' } },
      'mount build.dockerfile: ../../Dockerfile',
    ],
    ['a context elsewhere', { build: { dockerfile: 'x', context: '../..' } }, 'mount build.context: ../..'],
    ['the older spelling', { dockerFile: '/etc/x', context: '~' }, 'mount dockerFile: /etc/x'],
    [
      'a context by variable',
      { build: { context: '${localEnv:HOME}' } },
      'mount build.context: ${localEnv:HOME}',
      'local-env variable HOME',
    ],
    [
      'layers in a directory',
      { build: { cacheFrom: 'type=local,src=/x' } },
      'mount build.cacheFrom: type=local,src=/x',
    ],
    ['compose files that were not read', { dockerComposeFile: [] }, 'privilege compose files that cannot be told: []'],
  ])('%s', (_what, config, ...expected) => {
    expect(found(config)).toEqual(expected);
  });
});

describe('mounts', () => {
  const cases: unknown[] = [
    'source=/,target=/host,type=bind',
    'type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock',
    'source=${localEnv:HOME}/.ssh,target=/root/.ssh,type=bind',
    'source=${localEnv:HOME}${localEnv:USERPROFILE}/.aws,target=/a,type=bind',
    'type=bind,source=${localWorkspaceFolder}/..,target=/x',
    'type=bind,source=${localWorkspaceFolder}/../..,target=/x',
    'type=bind,source=${localWorkspaceFolder}/a/..,target=/x',
    'type=bind,source=${localWorkspaceFolder}x,target=/x',
    // A symbolic link takes its place at the next start.
    'type=bind,source=${localWorkspaceFolder}/sub,target=/x',
    'type=bind,source=/ws/sub,target=/x',
    'type=bind,source=.,target=/x',
    'type=bind,source=~,target=/x',
    'type=bind,target=/x',
    // The last, or the first, counts.
    'type=bind,source=${localWorkspaceFolder},source=/,target=/x',
    'type=bind,source=/,source=${localWorkspaceFolder},target=/x',
    'type=bind,src=/,source=${localWorkspaceFolder},target=/x',
    'type=bind,source=${localWorkspaceFolder},src=/,target=/x',
    'type=bind,source=${localWorkspaceFolder},Source=/,target=/x',
    'type=bind,"source=/",target=/x',
    'type=bind,source=${localWorkspaceFolder},target=/x,bind-propagation=rshared',
    'type=bind,source=${localWorkspaceFolder},target=/x:/y',
    'type=bind,source=${localWorkspaceFolder},target=${localWorkspaceFolder}',
    'type=volume,source=/etc,target=/x',
    'type=volume,source=.hidden-${devcontainerId},target=/x',
    'type=volume,source=claude-config,target=/x',
    'type=volume,source=${localWorkspaceFolderBasename}-modules,target=/x',
    'type=volume,source=a-${devcontainerId},target=/x,volume-driver=local,volume-opt=device=/',
    'type=volume,source=a-${devcontainerId},target=/x,volume-opt=type=none',
    'type=tmpfs,source=/,target=/x',
    'type=npipe,source=/,target=/x',
    'type=image,source=other,target=/x',
    'source=/:/x',
    'nonsense',
    'type=bind,source=/\nx,target=/x',
    { type: 'bind', source: '/', target: '/x' },
    { type: 'volume', source: 'a', target: '/x' },
    { type: 'volume', source: '${devcontainerId}', target: '/x,source=/' },
    { type: 'volume,source=/', target: '/x' },
    { type: 'bind', source: { a: 1 }, target: '/x' },
    { target: '/x' },
    ['type=tmpfs,target=/x'],
    7,
    true,
  ];

  it.each(cases)('%j is a finding', (mount) => {
    const details = findingsOf(inputsOf({ mounts: [mount] })).filter(({ kind }) => kind === 'mount');
    expect(details.map(({ detail }) => detail)).toEqual([expect.stringMatching(/^mounts: /)]);
  });

  it.each(cases.filter((mount) => typeof mount === 'string'))(
    '%j is one as the mount of the workspace too',
    (mount) => {
      const details = findingsOf(inputsOf({ workspaceMount: mount })).filter(({ kind }) => kind === 'mount');
      expect(details.map(({ detail }) => detail)).toEqual([expect.stringMatching(/^workspaceMount: /)]);
    },
  );

  it('whose target is a variable with a comma in it are findings', () => {
    const config = {
      workspaceFolder: '/x,source=/',
      mounts: ['type=bind,source=${localWorkspaceFolder},target=${containerWorkspaceFolder}'],
    };
    expect(found(config)).toEqual(['mount workspaceFolder: /x,source=/']);
  });

  it('of a workspace whose name would be taken for more than a name are findings', () => {
    const folder = '/a",source=/,"b';
    expect(findingsOf(inputsOf({}, {}, folder))).toMatchObject([
      { kind: 'mount', detail: expect.stringContaining(folder) },
    ]);
  });
});

describe('runArgs', () => {
  it.each<[string, string[]]>([
    ['names', ['--name', 'x', '--hostname=y', '-h', 'z', '--name=${localWorkspaceFolderBasename}']],
    ['variables with a value', ['-e', 'A=b', '-eA=b', '-e=A=b', '--env', 'A=', '--env=A=${containerWorkspaceFolder}']],
    ['limits', ['--memory', '4g', '-m', '1g', '--cpus=2', '--shm-size=1g', '--pids-limit', '100', '--ulimit=nofile=1']],
    ['switches', ['--init', '--rm', '-it', '-i', '-t', '--tty=false', '--read-only']],
    ['combined letters', ['-ite', 'A=b', '-itu0']],
    ['networks of its own', ['--network', 'bridge', '--net=none']],
    ['labels', ['--label', 'a.b/c=d', '-l', 'x', '-lx=y']],
    ['ports on the loopback network', ['-p', '127.0.0.1:1:1', '--publish=[::1]:1:1', '-p127.0.0.1::1']],
    ['hosts by address', ['--add-host', 'db:10.0.0.1', '--add-host=a:::1']],
    ['rights taken away', ['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']],
    ['groups', ['--group-add', 'video', '--group-add=44']],
    ['namespaces of its own', ['--ipc=private']],
  ])('that are harmless: %s', (_what, runArgs) => {
    expect(found({ runArgs })).toEqual([]);
  });

  it.each<[FindingKind, unknown, string?]>([
    ['mount', ['-v', '/:/host'], '-v /:/host'],
    ['mount', ['-v/:/host']],
    ['mount', ['-itv', '/:/host'], '-itv /:/host'],
    ['mount', ['--volume=/:/host']],
    ['mount', ['--mount', 'type=bind,source=/,target=/x'], '--mount type=bind,source=/,target=/x'],
    ['mount', ['--volumes-from', 'other'], '--volumes-from other'],
    ['mount', ['--env-file', '/etc/x'], '--env-file /etc/x'],
    ['mount', ['--cidfile=/etc/x']],
    ['mount', ['--use-api-socket']],
    ['privilege', ['--privileged']],
    ['privilege', ['--privileged=true']],
    ['privilege', ['--cap-add', 'ALL'], '--cap-add ALL'],
    ['privilege', ['--device=/dev/sda']],
    ['privilege', ['--pid=host']],
    ['privilege', ['--pid', 'host'], '--pid host'],
    ['privilege', ['--ipc', 'host'], '--ipc host'],
    ['privilege', ['--uts=host']],
    ['privilege', ['--userns=host']],
    ['privilege', ['--cgroupns=host']],
    ['privilege', ['--security-opt', 'seccomp=unconfined'], '--security-opt seccomp=unconfined'],
    ['privilege', ['--network', 'host'], '--network host'],
    ['privilege', ['--network=container:db']],
    ['privilege', ['--net', 'others'], '--net others'],
    ['privilege', ['--network=name=bridge,driver-opt=a']],
    ['privilege', ['--gpus', 'all'], '--gpus all'],
    ['privilege', ['--runtime=x']],
    ['privilege', ['--sysctl', 'a=b'], '--sysctl a=b'],
    ['privilege', ['-p', '80:80'], '-p 80:80'],
    ['privilege', ['-p80']],
    ['privilege', ['--publish', '0.0.0.0:80:80'], '--publish 0.0.0.0:80:80'],
    ['privilege', ['-P']],
    ['privilege', ['-itP']],
    ['privilege', ['--add-host', 'h:host-gateway'], '--add-host h:host-gateway'],
    ['privilege', ['--group-add=keep-groups']],
    ['privilege', ['--label', 'devcontainer.local_folder=/other'], '--label devcontainer.local_folder=/other'],
    ['privilege', ['--label=agentcontainers.generation=1']],
    ['privilege', ['-lcom.docker.compose.project=x']],
    ['privilege', ['--label', '${containerWorkspaceFolder}=/x'], '--label ${containerWorkspaceFolder}=/x'],
    ['local-env', ['-e', 'TOKEN'], '-e TOKEN'],
    ['local-env', ['-eTOKEN']],
    ['local-env', ['--env', 'AWS_*'], '--env AWS_*'],
    ['local-env', ['--env-host']],
    ['run-argument', ['--unknown']],
    ['run-argument', ['--unknown', 'a', 'b'], '--unknown a b'],
    ['run-argument', ['--unknown=a']],
    ['run-argument', ['--init=what']],
    ['run-argument', ['-Z']],
    ['run-argument', ['-t=false']],
    ['run-argument', ['image', 'sh', '-c', 'x'], 'image sh'],
    ['run-argument', ['--', 'image'], '-- image'],
    ['run-argument', ['-']],
    ['run-argument', [''], '[""]'],
    ['run-argument', ['--volume /:/host'], '["--volume /:/host"]'],
    // The option that comes after all of these would be its value.
    ['run-argument', ['--name']],
    ['privilege', ['--label']],
    ['run-argument', '--privileged', '--privileged'],
    ['run-argument', [['--privileged']], '[["--privileged"]]'],
    ['run-argument', [7], '[7]'],
  ])('%s: %j', (kind, runArgs, shown) => {
    const text = shown ?? (Array.isArray(runArgs) ? String(runArgs[0]) : '');
    expect(found({ runArgs })[0]).toBe(`${kind} runArgs: ${text}`);
  });

  it('each of which is looked at, whatever stands before it', () => {
    expect(
      found({ runArgs: ['--name', '--privileged', '--privileged', 'x', '-v', '/:/x', '--init', '--pid=host'] }),
    ).toEqual(['mount runArgs: -v /:/x', 'privilege runArgs: --pid=host', 'privilege runArgs: --privileged x']);
  });
});

describe('options of the build', () => {
  it.each<[FindingKind, string[]]>([
    ['mount', ['--secret', 'id=x,src=/etc/shadow']],
    ['mount', ['--ssh=default']],
    ['mount', ['--build-context', 'x=/']],
    ['mount', ['--output=/etc']],
    ['mount', ['-o/etc']],
    ['mount', ['-f/etc/passwd']],
    ['mount', ['--iidfile', '/etc/x']],
    ['mount', ['--cache-to=type=local,dest=/x']],
    ['mount', ['--cache-from=type=local,src=/x']],
    ['privilege', ['--network', 'host']],
    ['privilege', ['--allow=security.insecure']],
    ['privilege', ['--push']],
    ['privilege', ['-t', 'node:20']],
    ['local-env', ['--build-arg', 'TOKEN']],
    ['run-argument', ['--what']],
    ['run-argument', ['.']],
  ])('%s: %j', (kind, options) => {
    expect(found({ build: { options } })).toEqual([`${kind} build.options: ${options.join(' ')}`]);
  });
});

describe('features beside the configuration', () => {
  const feature = (document: unknown, path = '.devcontainer/mine/devcontainer-feature.json') =>
    findingsOf(inputsOf({ features: { './mine': {} } }, { localFeatures: [fileAt(path, document)] }));

  it('are harmless when they ask for nothing', () => {
    const document = { id: 'mine', version: '1.0.0', installsAfter: ['r.example/x'], entrypoint: '/usr/local/x.sh' };
    expect(feature(document)).toEqual([]);
  });

  it('are judged by what they say, under their own name', () => {
    const document = {
      privileged: true,
      capAdd: ['A'],
      securityOpt: ['b'],
      mounts: [{ type: 'bind', source: '/', target: '/x' }],
      containerEnv: { X: '${localEnv:Y}' },
      entrypoint: '"x\n$HOME',
      dependsOn: { 'r.example/z': {} },
    };
    const findings = feature(document);
    expect(new Set(findings.map(({ source }) => source))).toEqual(
      new Set(['./.devcontainer/mine/devcontainer-feature.json']),
    );
    expect(findings.map(({ kind, detail }) => `${kind} ${detail.replace(/ \[sha256.*/, '')}`)).toEqual([
      'mount mounts: {"source":"/","target":"/x","type":"bind"}',
      'privilege capAdd: A',
      'privilege privileged: true',
      'privilege securityOpt: b',
      'run-argument entrypoint: "\\"x\\n$HOME"',
      'remote-feature r.example/z',
      'local-env variable Y',
    ]);
  });

  it('are findings when they are elsewhere, or not what they should be', () => {
    const kinds = (document: unknown, path?: string) => feature(document, path).map(({ kind }) => kind);
    expect(kinds({}, '../other/devcontainer-feature.json')).toEqual(['mount', 'remote-feature']);
    expect(kinds([])).toEqual(['remote-feature']);
    expect(findingsOf(inputsOf({}, { remoteFeatures: ['r.example/x:1'] }))).toEqual([
      { kind: 'remote-feature', detail: 'r.example/x:1', source: SOURCE },
    ]);
  });
});

it('a configuration outside of the workspace folder is named by its path', () => {
  const parsed = { ...inputsOf({ privileged: true }), configPath: '/etc/devcontainer.json' };
  expect(findingsOf(parsed)).toMatchObject([{ source: '/etc/devcontainer.json' }]);
});
