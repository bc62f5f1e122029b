import { access, constants } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { AgentContainersError } from '../errors.ts';

/** The path of `devcontainer.js`: the given one, or that of the installed package. `cli-missing`. */
export async function cliScript(given: string | undefined): Promise<string> {
  let script = given ?? 'devcontainer.js';
  try {
    const require = createRequire(import.meta.url);
    script = given ?? join(dirname(require.resolve('@devcontainers/cli/package.json')), 'devcontainer.js');
    await access(script, constants.R_OK);
    return script;
  } catch (error) {
    throw new AgentContainersError(
      'cli-missing',
      `Starting the devcontainer CLI failed: ${script} cannot be read. Install the package @devcontainers/cli, or name the right path.`,
      { cause: error },
    );
  }
}
