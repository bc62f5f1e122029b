import { execFile } from 'node:child_process';
import { errorMessage } from '../../errors.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const TIMEOUT_MS = 10_000;

/** What a program prints; rejects when it is not there or fails. */
export type RunProgram = (file: string, args: readonly string[]) => Promise<string>;

export const runProgram: RunProgram = (file, args) =>
  new Promise((resolve, reject) => {
    execFile(file, [...args], { timeout: TIMEOUT_MS, encoding: 'utf8' }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });

/** About 31 user networks fit the engine's default address pools (engine-facts 17). */
const MANY_NETWORKS = 26;

/** How near the engine is to running out of networks. Nothing is said when the client cannot tell. */
export async function checkNetworks(dockerHost: string, run: RunProgram = runProgram): Promise<Finding[]> {
  const answer = await run('docker', ['--host', dockerHost, 'network', 'ls', '--quiet']).catch(() => undefined);
  if (answer === undefined) return [];
  const count = answer.split('\n').filter((line) => line !== '').length;
  const text = `${count} networks; about 31 fit the default address pools, and compose configurations take one each`;
  return [
    count < MANY_NETWORKS
      ? ok('networks', text)
      : warn(
          'networks',
          text,
          'Remove unused ones with `docker network prune`, or enlarge default-address-pools of the engine.',
        ),
  ];
}

/** The devcontainer CLI drives the engine through the docker client and, for compose configurations, compose. */
export async function checkClients(run: RunProgram = runProgram): Promise<Finding[]> {
  const findings: Finding[] = [];
  const client = await attempt(run, 'docker', ['--version']);
  findings.push(
    client.ok
      ? ok('docker client', client.text)
      : fail(
          'docker client',
          `The docker client does not run: ${client.text}`,
          'Install it (Debian: apt-get install docker.io or docker-cli). The dev container CLI needs it, also with Podman.',
        ),
  );
  const plugin = client.ok ? await attempt(run, 'docker', ['compose', 'version']) : client;
  const compose = plugin.ok ? plugin : await attempt(run, 'docker-compose', ['--version']);
  findings.push(
    compose.ok
      ? ok('compose', compose.text)
      : warn(
          'compose',
          'Neither `docker compose` nor `docker-compose` runs',
          'Install one of them (Debian: apt-get install docker-compose) if you have configurations with dockerComposeFile.',
        ),
  );
  return findings;
}

async function attempt(
  run: RunProgram,
  file: string,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly text: string }> {
  try {
    return { ok: true, text: (await run(file, args)).split('\n', 1)[0] ?? '' };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { ok: false, text: missing ? 'it is not on the PATH' : errorMessage(error) };
  }
}
