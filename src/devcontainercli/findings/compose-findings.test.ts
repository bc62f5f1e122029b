import { describe, expect, it } from 'vitest';
import { composeOf, fileAt, inputsOf } from '../../../test/support/parsed-inputs.ts';
import type { ParsedInputs } from '../inputs/parsed-inputs.ts';
import { findingsOf } from './findings-of.ts';

const found = (parsed: ParsedInputs): string[] => findingsOf(parsed).map(({ kind, detail }) => `${kind} ${detail}`);
/** Findings of a service `a` with these properties; their path is left out. */
const ofService = (service: unknown, variables: Record<string, string> = {}): string[] =>
  found(composeOf({ services: { a: service } }, { composeVariables: variables })).map((text) =>
    text.replace('services.a.', ''),
  );

describe('a service that is harmless', () => {
  it.each<[string, unknown]>([
    ['an image', { image: 'postgres:16', container_name: 'db', restart: 'unless-stopped', command: 'x $$HOME' }],
    ['nothing', null],
    ['the workspace beside its folder', { volumes: ['..:/workspace', '../:/b:cached', '../.:/c:ro,z'] }],
    ['the workspace by its path', { volumes: ['/ws:/workspace'] }],
    ['volumes of the project', { volumes: ['pgdata:/var/lib/postgresql/data', '/cache'] }],
    [
      'mounts as objects',
      {
        volumes: [
          { type: 'bind', source: '..', target: '/w', read_only: true, bind: { create_host_path: true } },
          { type: 'volume', source: 'v', target: '/v', volume: { nocopy: true } },
          { type: 'tmpfs', target: '/t', tmpfs: { size: 100 } },
        ],
      },
    ],
    ['a build in the workspace', { build: '..' }],
    [
      'a build with arguments',
      {
        build: {
          context: '..',
          dockerfile: '.devcontainer/Dockerfile',
          target: 'x',
          args: { A: 'b', C: 1 },
          labels: ['a=b'],
        },
      },
    ],
    ['a build from its folder', { build: { context: '.', dockerfile: 'Dockerfile', args: ['A=b'], network: 'none' } }],
    [
      'an environment',
      { environment: { A: 'b', C: 1, D: '' }, env_file: ['.env', '../app.env', { path: 'x', required: false }] },
    ],
    ['an environment as a list', { environment: ['A=b', 'C='] }],
    [
      'ports on the loopback network',
      {
        expose: [1],
        ports: ['127.0.0.1:80:80', { target: 80, published: '80', host_ip: '127.0.0.1', protocol: 'tcp' }],
      },
    ],
    ['the network of another service', { network_mode: 'service:db', pid: 'service:db', ipc: 'private' }],
    ['networks', { networks: { back: { aliases: ['x'], ipv4_address: '10.0.0.2' }, front: null } }],
    ['networks as a list', { networks: ['back'] }],
    ['rights taken away', { cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], privileged: false }],
    ['limits', { mem_limit: '1g', deploy: { resources: { limits: { cpus: '1', memory: '1g' }, reservations: {} } } }],
    ['hosts by address', { extra_hosts: ['db=10.0.0.1', 'x:10.0.0.2', 'v6=[::1]'] }],
    ['hosts as an object', { extra_hosts: { db: '10.0.0.1' } }],
    ['labels', { labels: { 'traefik.enable': 'true' } }],
    ['a log that stays', { logging: { driver: 'json-file', options: { 'max-size': '1m' } } }],
    ['hooks in the container', { post_start: [{ command: 'x', user: 'root' }], pre_stop: [{ command: ['x'] }] }],
    ['a health check', { healthcheck: { test: ['CMD', 'x'] }, depends_on: { db: { condition: 'service_healthy' } } }],
    ['extensions', { 'x-anything': { privileged: true } }],
    ['a service of the same file', { extends: { service: 'b' } }],
    ['groups', { group_add: [44, 'video'] }],
    ['files watched on demand', { develop: { watch: [{ path: '.', action: 'sync', target: '/x' }] } }],
    ['empty properties', { devices: [], cap_add: null, gpus: '', sysctls: {} }],
  ])('%s', (_what, service) => {
    expect(ofService(service)).toEqual([]);
  });
});

describe('a service that reaches the host', () => {
  it.each<[unknown, ...string[]]>([
    [{ volumes: ['/:/host'] }, 'mount volumes: /:/host'],
    [
      { volumes: ['/var/run/docker.sock:/var/run/docker.sock'] },
      'mount volumes: /var/run/docker.sock:/var/run/docker.sock',
    ],
    [{ volumes: ['~/.ssh:/ssh:ro'] }, 'mount volumes: ~/.ssh:/ssh:ro'],
    [{ volumes: ['../..:/x'] }, 'mount volumes: ../..:/x'],
    [{ volumes: ['.:/x'] }, 'mount volumes: .:/x'],
    // Whoever writes there makes a link of it, and the next start follows.
    [{ volumes: ['../app:/app'] }, 'mount volumes: ../app:/app'],
    [{ volumes: ['..:/x:shared'] }, 'mount volumes: ..:/x:shared'],
    [{ volumes: ['..:/x:ro,rslave'] }, 'mount volumes: ..:/x:ro,rslave'],
    [{ volumes: ['..:x'] }, 'mount volumes: ..:x'],
    [{ volumes: ['C:\\x:/x'] }, 'mount volumes: C:\\x:/x'],
    [{ volumes: ['a/b:/x'] }, 'mount volumes: a/b:/x'],
    [{ volumes: ['${HOME}:/x'] }, 'mount volumes: ${HOME}:/x', 'local-env variable HOME'],
    [{ volumes: ['${DIR:-..}:/x'] }, 'mount volumes: ${DIR:-..}:/x', 'local-env variable DIR'],
    [
      { volumes: [{ type: 'bind', source: '/', target: '/x' }] },
      'mount volumes: {"source":"/","target":"/x","type":"bind"}',
    ],
    [
      { volumes: [{ type: 'bind', source: '..', target: '/x', bind: { propagation: 'shared' } }] },
      'mount volumes: {"bind":{"propagation":"shared"},"source":"..","target":"/x","type":"bind"}',
    ],
    [
      { volumes: [{ type: 'volume', source: '/etc', target: '/x' }] },
      expect.stringMatching(/^mount volumes: /) as string,
    ],
    [{ volumes: [{ type: 'image', source: 'x', target: '/x' }] }, expect.stringMatching(/^mount volumes: /) as string],
    [{ volumes: [{ source: '..', target: '/x' }] }, expect.stringMatching(/^mount volumes: /) as string],
    [{ volumes: [{ type: 'bind', source: '..', target: '/x', other: 1 }] }, expect.stringMatching(/^mount /) as string],
    [{ volumes: [['/:/x']] }, 'mount volumes: ["/:/x"]'],
    [{ volumes_from: ['container:other'] }, 'mount volumes_from: container:other'],
    [{ use_api_socket: true }, 'mount use_api_socket: true'],
    [{ env_file: '/etc/environment' }, 'mount env_file: /etc/environment'],
    [{ env_file: [{ path: '../../x' }] }, 'mount env_file: ../../x'],
    [{ label_file: '~/x' }, 'mount label_file: ~/x'],
    [{ devices: ['/dev/kvm:/dev/kvm'] }, 'privilege devices: /dev/kvm:/dev/kvm'],
    [{ devices: [{ source: '/dev/x', target: '/dev/x' }] }, 'privilege devices: {"source":"/dev/x","target":"/dev/x"}'],
    [{ privileged: true }, 'privilege privileged: true'],
    [{ privileged: 'yes' }, 'privilege privileged: yes'],
    [{ cap_add: ['SYS_ADMIN', 'NET_ADMIN'] }, 'privilege cap_add: NET_ADMIN', 'privilege cap_add: SYS_ADMIN'],
    [{ security_opt: ['apparmor:unconfined'] }, 'privilege security_opt: apparmor:unconfined'],
    [{ pid: 'host' }, 'privilege pid: host'],
    [{ pid: 'container:x' }, 'privilege pid: container:x'],
    [{ ipc: 'host' }, 'privilege ipc: host'],
    [{ uts: 'host' }, 'privilege uts: host'],
    [{ network_mode: 'host' }, 'privilege network_mode: host'],
    [{ network_mode: 'container:x' }, 'privilege network_mode: container:x'],
    [{ network_mode: 'others_default' }, 'privilege network_mode: others_default'],
    [{ userns_mode: 'host' }, 'privilege userns_mode: host'],
    [{ cgroup: 'host' }, 'privilege cgroup: host'],
    [{ cgroup_parent: 'x' }, 'privilege cgroup_parent: x'],
    [{ device_cgroup_rules: ['a *:* rwm'] }, 'privilege device_cgroup_rules: a *:* rwm'],
    [{ sysctls: { 'net.x': 1 } }, 'privilege sysctls: {"net.x":1}'],
    [{ gpus: 'all' }, 'privilege gpus: all'],
    [{ runtime: 'x' }, 'privilege runtime: x'],
    [{ oom_kill_disable: true }, 'privilege oom_kill_disable: true'],
    [{ external_links: ['db'] }, 'privilege external_links: db'],
    [{ provider: { type: 'x' } }, 'privilege provider: {"type":"x"}'],
    [{ models: ['m'] }, 'privilege models: m'],
    [{ credential_spec: { file: 'x' } }, 'privilege credential_spec: {"file":"x"}'],
    [{ extra_hosts: ['h:host-gateway'] }, 'privilege extra_hosts: h:host-gateway'],
    [{ extra_hosts: { h: 'host-gateway' } }, 'privilege extra_hosts: h=host-gateway'],
    [{ group_add: ['keep-groups'] }, 'privilege group_add: keep-groups'],
    [{ labels: ['devcontainer.local_folder=/other'] }, 'privilege labels: devcontainer.local_folder'],
    [{ labels: { 'com.docker.compose.project': 'x' } }, 'privilege labels: com.docker.compose.project'],
    [{ logging: { driver: 'syslog' } }, 'privilege logging: {"driver":"syslog"}'],
    [{ networks: { a: { driver_opts: { x: 1 } } } }, 'privilege networks.a.driver_opts: {"x":1}'],
    [{ ports: ['80:80', 3000] }, 'privilege ports: "3000"', 'privilege ports: "80:80"'],
    [{ ports: [{ target: 80 }] }, 'privilege ports: {"target":80}'],
    [{ ports: [{ target: 80, host_ip: '0.0.0.0' }] }, 'privilege ports: {"host_ip":"0.0.0.0","target":80}'],
    [
      { deploy: { resources: { reservations: { devices: [{ capabilities: ['gpu'] }] } } } },
      'privilege deploy.resources.reservations.devices: [{"capabilities":["gpu"]}]',
    ],
    [{ post_start: [{ command: 'x', privileged: true }] }, 'privilege post_start.privileged: true'],
    [{ build: { context: '..' }, image: 'node:20' }, 'privilege image, which it builds: node:20'],
    [{ build: '../..' }, 'mount build: ../..'],
    [{ build: { context: '/' } }, 'mount build.context: /'],
    [{ build: 'https://example.org/x.git' }, 'remote-feature build: https://example.org/x.git'],
    [{ build: { context: '.', dockerfile: '../../x' } }, 'mount build.dockerfile: ../../x'],
    [{ build: { context: '.', ssh: ['default'] } }, 'mount build.ssh: ["default"]'],
    [{ build: { context: '.', secrets: ['x'] } }, 'mount build.secrets: ["x"]'],
    [{ build: { context: '.', additional_contexts: { a: '/' } } }, 'mount build.additional_contexts: {"a":"/"}'],
    [{ build: { context: '.', cache_from: ['type=local,src=/'] } }, 'mount build.cache_from: type=local,src=/'],
    [{ build: { context: '.', network: 'host' } }, 'privilege build.network: host'],
    [{ build: { context: '.', privileged: true } }, 'privilege build.privileged: true'],
    [{ build: { context: '.', entitlements: ['x'] } }, 'privilege build.entitlements: ["x"]'],
    [{ build: { context: '.', tags: ['node:20'] } }, 'privilege build.tags: ["node:20"]'],
    [{ build: { context: '.', args: ['TOKEN'] } }, 'local-env variable TOKEN'],
    [{ build: { context: '.', args: { TOKEN: null } } }, 'local-env variable TOKEN'],
    [{ environment: ['TOKEN'] }, 'local-env variable TOKEN'],
    [{ environment: { TOKEN: null } }, 'local-env variable TOKEN'],
    [
      { environment: { A: '${TOKEN:-x}', B: '$OTHER', C: '${X:+${Y}}' } },
      ...['OTHER', 'TOKEN', 'X', 'Y'].map((name) => `local-env variable ${name}`),
    ],
    [{ image: 'x\n    privileged: true' }, expect.stringMatching(/^run-argument image: /) as string],
    [{ '<<': { privileged: true } }, 'run-argument "<<": {"privileged":true}'],
    [{ 'x-podman.rootfs': '/' }, 'run-argument "x-podman.rootfs": /'],
    [{ anything: 'new' }, 'run-argument anything: new'],
    [['a'], 'run-argument services.a: ["a"]'],
    ['a', 'run-argument services.a: a'],
    [new Map([['privileged', true]]), expect.stringMatching(/^run-argument services\.a: /) as string],
  ])('%j', (service, ...expected) => {
    expect(ofService(service)).toEqual(expected);
  });
});

describe('a compose file', () => {
  const ofFile = (document: unknown): string[] => found(composeOf(document));

  it('is harmless with volumes and networks of the project', () => {
    const document = {
      version: '3',
      'x-common': { privileged: true, a: '${X}' },
      volumes: { a: null, b: {}, c: { driver: 'local', labels: ['x=y'] } },
      networks: { default: { driver: 'bridge', internal: true }, b: { ipam: {} } },
      configs: { a: { content: 'text' } },
      services: { 'x-really': { image: 'x' } },
    };
    expect(ofFile(document)).toEqual([]);
  });

  it.each<[string, unknown, ...string[]]>([
    ['a name', { name: 'other' }, 'privilege name of the project: other'],
    ['services without that word', { main: { privileged: true } }, 'run-argument main: {"privileged":true}'],
    [
      'a service with the name of an extension',
      { services: { 'x-a': { privileged: true } } },
      'privilege services.x-a.privileged: true',
    ],
    ['services in a list', { services: [{ privileged: true }] }, 'run-argument services: [{"privileged":true}]'],
    ['no object', 'text', 'run-argument a compose file that is no object: text'],
    [
      'a volume that is a directory',
      { volumes: { a: { driver_opts: { type: 'none', o: 'bind', device: '/' } } } },
      'mount volumes.a.driver_opts: {"device":"/","o":"bind","type":"none"}',
    ],
    ['a volume of others', { volumes: { a: { external: true } } }, 'mount volumes.a.external: true'],
    ['a volume by its name', { volumes: { a: { name: 'pg' } } }, 'mount volumes.a.name: pg'],
    ['a volume of a plugin', { volumes: { a: { driver: 'x' } } }, 'mount volumes.a.driver: x'],
    [
      'a volume named by others',
      { volumes: { a: { driver: 'local', name: '${X}' } } },
      'mount volumes.a.name: ${X}',
      'local-env variable X',
    ],
    [
      'a network of others',
      { networks: { default: { external: true, name: 'x' } } },
      'privilege networks.default.external: true',
      'privilege networks.default.name: x',
    ],
    ['a network of the host', { networks: { a: { driver: 'macvlan' } } }, 'privilege networks.a.driver: macvlan'],
    [
      'addresses of others',
      { networks: { a: { ipam: { config: [{ subnet: '10.1.0.0/16' }] } } } },
      'privilege networks.a.ipam: {"config":[{"subnet":"10.1.0.0/16"}]}',
    ],
    ['a secret from a file', { secrets: { a: { file: './x' } } }, 'mount secrets.a.file: ./x'],
    ['a secret from a variable', { secrets: { a: { environment: 'TOKEN' } } }, 'local-env variable TOKEN'],
    ['a config from elsewhere', { configs: { a: { file: '/etc/passwd' } } }, 'mount configs.a.file: /etc/passwd'],
    ['models', { models: { a: { model: 'x' } } }, 'run-argument models: {"a":{"model":"x"}}'],
    [
      'a file from a repository',
      { include: ['git@example.org:x.git'] },
      'remote-feature include: git@example.org:x.git',
    ],
    ['a file from a registry', { include: ['oci://r.example/x'] }, 'remote-feature include: oci://r.example/x'],
    ['a file that was not read', { include: ['other.yml'] }, 'remote-feature include: other.yml'],
    ['a file by variable', { include: ['${X}'] }, 'remote-feature include: ${X}', 'local-env variable X'],
    [
      'a file that is extended and was not read',
      { services: { a: { extends: { file: '../../x.yml', service: 'b' } } } },
      'remote-feature services.a.extends: ../../x.yml',
    ],
  ])('with %s is a finding', (_what, document, ...expected) => {
    expect(ofFile(document)).toEqual(expected);
  });

  it('that is taken in is judged by itself, and may be named by those that were read', () => {
    const compose = [
      fileAt('.devcontainer/compose.yml', {
        include: ['sub/more.yml', { path: '../base.yml', env_file: '../x.env' }],
        services: { a: { extends: { file: '../base.yml', service: 'b' } } },
      }),
      fileAt('.devcontainer/sub/more.yml', { services: { b: { privileged: true } } }),
      fileAt('base.yml', null),
    ];
    expect(findingsOf(composeOf({}, { compose }))).toEqual([
      { kind: 'privilege', detail: 'services.b.privileged: true', source: './.devcontainer/sub/more.yml' },
    ]);
  });

  it('may not say where the paths of another lead', () => {
    const include = [
      { path: 'sub/more.yml', project_directory: '/' },
      { path: ['sub/more.yml', 'compose.yml'] },
      { path: 'sub/more.yml', env_file: '/etc/environment' },
    ];
    const compose = [fileAt('.devcontainer/compose.yml', { include }), fileAt('.devcontainer/sub/more.yml', {})];
    expect(found(composeOf({}, { compose }))).toEqual([
      'mount include.env_file: /etc/environment',
      'mount include.project_directory: /',
      'mount include: {"path":["sub/more.yml","compose.yml"]}',
    ]);
  });

  it('has its paths resolved against the first that the configuration names', () => {
    const config = { dockerComposeFile: ['../compose.yml', 'compose.yml'] };
    const second = { services: { a: { volumes: ['..:/a'] }, b: { volumes: ['.:/b'] } } };
    const compose = [fileAt('compose.yml', {}), fileAt('.devcontainer/compose.yml', second)];
    expect(found(inputsOf(config, { compose }))).toEqual(['mount services.a.volumes: ..:/a']);
  });

  it('that is taken in must lead to the workspace whichever folder counts', () => {
    const taken = { services: { a: { volumes: ['..:/a'] }, b: { volumes: ['../..:/b'] }, c: { volumes: ['/ws:/c'] } } };
    const compose = [fileAt('.devcontainer/compose.yml', {}), fileAt('.devcontainer/sub/more.yml', taken)];
    expect(found(composeOf({}, { compose }))).toEqual([
      'mount services.a.volumes: ..:/a',
      'mount services.b.volumes: ../..:/b',
    ]);
  });

  it('outside of the workspace folder is a finding, and so is one that was not read', () => {
    const compose = [{ path: '/etc/compose.yml', name: '/etc/compose.yml', document: {} }];
    expect(found(composeOf({}, { compose }))).toEqual([
      'mount env file of compose: /etc/.env',
      'mount compose file outside of the workspace folder: /etc/compose.yml',
    ]);
    const config = { dockerComposeFile: ['compose.yml', 'gone.yml'] };
    expect(found(inputsOf(config, { compose: [fileAt('.devcontainer/compose.yml', {})] }))).toEqual([
      'privilege compose files that cannot be told: ["compose.yml","gone.yml"]',
    ]);
  });
});

describe('variables from files', () => {
  it('are put in before anything is judged', () => {
    const variables = { MODE: 'host', DIR: '..', TAG: '16', FLAG: 'true', NO: 'false' };
    expect(ofService({ image: 'x:${TAG}', volumes: ['${DIR}:/w'], privileged: '${NO}' }, variables)).toEqual([]);
    expect(ofService({ network_mode: '$MODE', privileged: '${FLAG}', volumes: ['${DIR}/..:/w'] }, variables)).toEqual([
      'mount volumes: ../..:/w',
      'privilege network_mode: host',
      'privilege privileged: "true"',
    ]);
    expect(ofService({ environment: ['TAG', 'OTHER'] }, variables)).toEqual(['local-env variable OTHER']);
  });

  it('do not count where the environment of the host comes first, or when they are made of others', () => {
    const variables = { HOME: '..', USER: 'x', OTHER: '$HOME' };
    expect(ofService({ volumes: ['${HOME}:/w', '${OTHER}:/x'], user: '${USER}' }, variables)).toEqual([
      'mount volumes: ${HOME}:/w',
      'mount volumes: ${OTHER}:/x',
      'privilege variable HOME of compose: ..',
      'local-env variable HOME',
      'local-env variable OTHER',
      'local-env variable USER',
    ]);
  });

  it('that compose and what it starts obey are findings', () => {
    const variables = {
      COMPOSE_PROJECT_NAME: 'other',
      DOCKER_HOST: 'x',
      LD_PRELOAD: './x.so',
      GIT_SSH: 'x',
      APP: 'fine',
    };
    expect(ofService({ image: 'x' }, variables)).toEqual([
      'privilege variable COMPOSE_PROJECT_NAME of compose: other',
      'privilege variable DOCKER_HOST of compose: x',
      'privilege variable GIT_SSH of compose: x',
      'privilege variable LD_PRELOAD of compose: ./x.so',
    ]);
  });
});
