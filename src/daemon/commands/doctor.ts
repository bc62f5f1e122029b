import { checkClients, checkNetworks } from '../doctor/check-clients.ts';
import { checkCli, checkEngines, type EngineFlags } from '../doctor/check-engine.ts';
import { checkInotify, checkNode } from '../doctor/check-machine.ts';
import { checkDaemon, checkStateDirectory } from '../doctor/check-state.ts';
import type { Finding } from '../doctor/finding.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import type { CommandContext, LocationFlags } from './context.ts';

export async function doctor(
  { client, directory, output }: CommandContext,
  flags: LocationFlags & EngineFlags,
): Promise<number> {
  const findings: Finding[] = [];
  const add = (...more: Finding[]): void => {
    findings.push(...more);
    for (const finding of more) printFinding(output, finding);
  };

  add(checkNode(process.versions.node));
  const engine = await checkEngines(directory, client, flags);
  add(...engine.findings);
  add(await checkCli(engine.address));
  add(...(await checkClients()));
  if (engine.address !== undefined) add(...(await checkNetworks(engine.address)));
  add(...(await checkInotify()));
  add(await checkStateDirectory(directory));
  add(await checkDaemon(directory, client));

  const count = (verdict: Finding['verdict']): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  output.result({ ok: count('fail') === 0, findings });
  output.line();
  output.line(
    count('fail') > 0
      ? `${count('fail')} of these must be put right first.`
      : `All is well${count('warn') > 0 ? `, with ${count('warn')} warning(s)` : ''}. Next: agentcontainers up <folder>`,
  );
  if (engine.address === undefined) return EXIT.engineUnreachable;
  return count('fail') > 0 ? EXIT.failed : EXIT.ok;
}

function printFinding(output: Output, { check, verdict, message, next }: Finding): void {
  const { green, yellow, red, bold, dim } = output.colors;
  const mark = { ok: green('ok  '), note: dim('-   '), warn: yellow('warn'), fail: red('fail') }[verdict];
  output.line(`${mark} ${bold(check)}: ${plainText(message)}`);
  if (next !== undefined) output.line(`     ${plainText(next)}`);
}
