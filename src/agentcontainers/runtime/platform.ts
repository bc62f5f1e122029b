import { AgentContainersError } from '../../errors.ts';
import { engineArchitecture } from '../model/architecture.ts';
import type { ContainerDetails, ContainerEngine, Platform } from '../ports.ts';

/** Platform of a container: from its image; where the image does not tell, from `uname -m` inside. */
export async function platformOf(
  engine: ContainerEngine,
  details: ContainerDetails,
  signal: AbortSignal,
): Promise<Platform> {
  try {
    const platform = await engine.imagePlatform(details.imageId, signal);
    if (platform.architecture !== '') return platform;
  } catch (error) {
    // The image may have been removed while its container lives on.
    if (signal.aborted) throw error;
  }
  const session = await engine.exec({ containerId: details.id, argv: ['uname', '-m'], signal });
  let text = '';
  for await (const chunk of session.stdout) if (text.length < 100) text += Buffer.from(chunk).toString('latin1');
  await session.exited;
  const machine = text.trim();
  // What a container says is shown and compared: only what can be such a word is taken.
  if (!/^[\w.-]{1,32}$/.test(machine)) {
    throw new AgentContainersError(
      'sub-agent-unsupported',
      'Its architecture cannot be told: its image is gone and uname does not say.',
    );
  }
  return { operatingSystem: 'linux', architecture: engineArchitecture(machine) };
}
