import { platform } from 'node:os';

import type { DevcontainerCli, MergedConfiguration } from '../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../errors.ts';
import { firstSentence } from '../text/plain-text.ts';
import { withoutValues } from '../text/secret-values.ts';
import { readConfigurationArguments } from './cli-arguments.ts';
import { failedCommand, orCancelled, throwIfAborted, unusableConfiguration } from './cli-errors.ts';
import { parseLogLine } from './cli-log.ts';
import type { CliParts } from './cli-parts.ts';
import { secretsOf } from './config-secrets.ts';
import { configToUse } from './config-to-use.ts';
import { withoutCliTraces } from './explain-failure.ts';
import { gitRootOf } from './git-root.ts';
import { parseMergedConfiguration } from './merged-configuration.ts';
import { createOutputTail } from './output-tail.ts';
import { overrideConfig } from './override-config.ts';
import { ownUserId } from './process-group.ts';
import { workspaceMountOf } from './workspace-mount.ts';

/** `devcontainer read-configuration`. Rejects with `cancelled`, `cli-missing`, `cli-failed`, or as finding the engine. */
export async function runReadConfiguration(
  parts: CliParts,
  { key, config, containerId, signal }: Parameters<DevcontainerCli['readConfiguration']>[0],
): Promise<MergedConfiguration> {
  throwIfAborted(signal);
  const json = await configToUse({ key, config, signal });
  if (json.kind !== 'valid') throw new AgentContainersError('cli-failed', unusableConfiguration(key, json));
  const { env, redact: redactOwn } = await parts.environment(signal);
  const withoutSecrets = withoutValues(secretsOf(json.config));
  const redact = (text: string): string => withoutSecrets(redactOwn(text));
  const folder = await parts.openRunFolder().catch((error: unknown) => {
    const reason = errorMessage(error);
    throw new AgentContainersError('cli-failed', `Reading the configuration ${key.configPath} failed: ${reason}.`, {
      cause: error,
    });
  });
  try {
    const root = await orCancelled(gitRootOf(key.workspaceFolder, ownUserId()), signal);
    const override = overrideConfig(json.config, {
      // It runs nothing; but then there is nothing to run either.
      withoutInitializeCommand: true,
      workspaceMount: workspaceMountOf(json.config, key.workspaceFolder, root, platform()),
    });
    const path = await folder.write('devcontainer.json', JSON.stringify(override));
    const args = readConfigurationArguments({ key, containerId, overrideConfig: path }, parts.executables);
    const tail = createOutputTail();
    let answer = '';
    let said = '';
    const exit = await parts.runCli({
      args,
      env,
      folder,
      signal,
      onStdoutLine: (line) => {
        if (line.startsWith('{')) answer = line;
      },
      onStderrLine: (line) => {
        const event = parseLogLine(line);
        if (event.type === 'raw') tail.push(event.text);
        if (event.type === 'text' && event.text.trim() !== '') said = event.text;
      },
    });
    const merged = exit.exitCode === 0 ? parseMergedConfiguration(answer) : undefined;
    if (merged !== undefined) return merged;
    const reason = exit.exitCode === 0 ? 'the answer of the devcontainer CLI was not understood' : firstSentence(said);
    const command = failedCommand(
      exit,
      redact(['devcontainer', ...args].join(' ')),
      redact(withoutCliTraces(tail.text())),
    );
    throw new AgentContainersError(
      'cli-failed',
      redact(
        `Reading the configuration ${key.configPath} failed: ${reason.replace(/[.\s]+$/, '')}. Correct it, and check that its image can be had.`,
      ),
      { details: { command } },
    );
  } catch (error) {
    if (isAgentContainersError(error)) throw error;
    const reason = errorMessage(error);
    throw new AgentContainersError('cli-failed', `Reading the configuration ${key.configPath} failed: ${reason}.`, {
      cause: error,
    });
  } finally {
    await folder.remove();
  }
}
