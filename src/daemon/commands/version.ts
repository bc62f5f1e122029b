import { packageVersion } from '../package-version.ts';
import type { CommandContext } from './context.ts';

export async function version({ output }: CommandContext): Promise<number> {
  const own = await packageVersion();
  output.line(`agentcontainers ${own} (Node.js ${process.versions.node}, ${process.platform} ${process.arch})`);
  output.result({ version: own, node: process.versions.node, platform: process.platform, arch: process.arch });
  return 0;
}
