import type { ContainerDetails, ContainerEngine, Platform } from '../ports.ts';

// What `uname -m` says, in the engine's words.
const MACHINES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i686: '386',
};

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
  return { operatingSystem: 'linux', architecture: MACHINES[machine] ?? machine };
}
