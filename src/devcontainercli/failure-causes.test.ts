import { expect, it } from 'vitest';

import { causeIn, machineCauseIn } from './failure-causes.ts';

// Words that are hard to stage; those of staged failures are in failure-corpus.test.ts.
it.each([
  ['write /var/lib/docker/tmp/x: no space left on device', 'there is no space left on the disk'],
  ["Error: ENOSPC: no space left on device, open '/tmp/x'", 'there is no space left on the disk'],
  ['failed to register layer: disk quota exceeded', 'there is no space left on the disk'],
  [
    'Error response from daemon: pull access denied for no/such, repository does not exist or may require `docker login`',
    'the image no/such does not exist, or its registry wants to know who you are',
  ],
  [
    'Error response from daemon: manifest for debian:no-such not found: manifest unknown: manifest unknown',
    'the image debian:no-such does not exist',
  ],
  [
    'ERROR: failed to solve: docker.io/library/debian:no-such: failed to resolve source metadata for docker.io/library/debian:no-such: docker.io/library/debian:no-such: not found',
    'the image docker.io/library/debian:no-such does not exist',
  ],
  ['unauthorized: authentication required', 'the registry refused access (unauthorized: authentication required)'],
  [
    'Get "https://ghcr.io/v2/": net/http: TLS handshake timeout',
    'ghcr.io could not be reached (net/http: TLS handshake timeout)',
  ],
  [
    'Get "https://r.example/v2/": dial tcp 192.0.2.1:443: connect: connection refused',
    'r.example could not be reached (dial tcp 192.0.2.1:443: connect: connection refused)',
  ],
  ['Error: connect ECONNREFUSED 192.0.2.1:443', '192.0.2.1:443 could not be reached (ECONNREFUSED)'],
  ['process "/bin/sh -c make all" did not complete successfully: exit code: 2', '`make all` exited with code 2'],
  [
    'failed to solve: failed to compute cache key: failed to calculate checksum of ref abc::def: "/src": not found',
    'the Dockerfile copies src, which is not in the build context',
  ],
  ['Error: listen tcp4 127.0.0.1:80: bind: address already in use', 'the address 127.0.0.1:80 is in use already'],
  [
    "Couldn't connect to Docker daemon at http+docker://localhost - is it running?",
    "Couldn't connect to Docker daemon at http+docker://localhost",
  ],
  [
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
  ],
  [
    'Cannot connect to Podman. Please verify your connection',
    'Cannot connect to Podman. Please verify your connection',
  ],
  [
    'service "nope" has neither an image nor a build context specified: invalid compose project',
    'the compose files have no service nope, or give it no image',
  ],
  ['Error: building at STEP "RUN make all": while running runtime: exit status 2', '`make all` exited with code 2'],
  // As Podman says it.
  [
    'building at STEP "RUNN ": Build error: Unknown instruction: "RUNN" &imagebuilder.Step{Env:[]string{}}',
    'the Dockerfile cannot be understood: unknown instruction: RUNN',
  ],
  [
    'building at STEP "COPY a /x": checking on sources under "/var/tmp/b": copier: stat: "/a": no such file or directory',
    'the Dockerfile copies a, which is not in the build context',
  ],
  [
    'container create: creating container storage: the container name "a" is already in use by 792f954148a3c22d. You have to remove it',
    'the name a is taken by the container 792f954148a3',
  ],
  ['container create: unable to find network with name or ID nonet: network not found', 'there is no network nonet'],
  ['can only create exec sessions on running containers: container state improper', 'its command ended at once'],
  ['unable to upgrade to tcp, received 409', 'the engine did not start it, and the docker client does not tell why'],
  [
    'unable to upgrade to tcp, received 500',
    'the engine refused to run a command in it, and the docker client does not tell why',
  ],
  [
    'parsing /x/compose.yml: yaml: line 4: could not find expected ":"',
    'a compose file is not valid: parsing /x/compose.yml: yaml: line 4: could not find expected ":"',
  ],
])('understands %j', (text, reason) => {
  expect(causeIn(`first line\n${text}\n`)?.reason).toBe(reason);
});

it('knows no cause for anything else', () => {
  expect(causeIn('it did not work')).toBeUndefined();
  expect(causeIn('')).toBeUndefined();
});

it('blames the machine only for what it is to blame for', () => {
  expect(machineCauseIn('no space left on device')?.next).toMatch(/^Free some space/);
  expect(machineCauseIn('error waiting for container: unexpected EOF')?.reason).toMatch(/was lost/);
  expect(machineCauseIn("The command 'x' returned a non-zero code: 1")).toBeUndefined();
  // A program of the workspace may say so too, but not as the last word of the engine's client.
  expect(causeIn('sh: unexpected EOF\nmake: failed')).toBeUndefined();
});

it('takes little time for whatever a workspace writes', () => {
  const pieces = [
    "The command '",
    'dial tcp: lookup ',
    'yaml.x.Error: ',
    'a/b:',
    'process "',
    'container name "',
    'Get "https://x',
  ];
  // Each took seconds, or for ever, when patterns saw more than a line.
  for (const piece of pieces) expect(causeIn(piece.repeat(8_192 / piece.length))).toBeUndefined();
});
