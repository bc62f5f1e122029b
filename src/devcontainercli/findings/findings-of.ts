import { relative } from 'node:path';

import type { Finding } from '../../agentcontainers/model/verdict.ts';
import type { ParsedInputs } from '../inputs/parsed-inputs.ts';
import { composeFindings } from './compose-findings.ts';
import { configFindings } from './config-findings.ts';
import { featureFindings } from './feature-findings.ts';
import { collectFindings } from './finding-list.ts';
import { workspaceAt } from './host-path.ts';

/**
 * What a configuration can do to the host, as far as its files tell; docs/design/host-safety.md says what counts and
 * why. Sorted, without repetition, bounded; never throws. Equal inputs give equal findings whatever the order of keys.
 * Looks up where paths inside of the workspace folder lead, at most some hundred of them.
 */
export function findingsOf(parsed: ParsedInputs): readonly Finding[] {
  const workspace = workspaceAt(parsed.workspaceFolder);
  return collectFindings(parsed, (list) => {
    const report = list.from(nameOf(parsed));
    const { configPath, realConfigPath = configPath } = parsed;
    // One that a person named outside is that path itself.
    if (realConfigPath !== configPath && !workspace.contains(realConfigPath)) {
      report('mount', 'configuration outside of the workspace folder', realConfigPath);
    }
    configFindings(parsed.config, parsed.configPath, workspace, report);
    featureFindings(parsed, workspace, list, report);
    composeFindings(parsed, workspace, list, report);
  });
}

/** As other files of the configuration are named. */
function nameOf({ workspaceFolder, configPath }: ParsedInputs): string {
  const below = relative(workspaceFolder, configPath);
  return below === '' || below.startsWith('..') || below.startsWith('/') ? configPath : `./${below}`;
}
