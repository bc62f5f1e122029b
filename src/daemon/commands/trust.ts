import { AgentContainersError } from '../../errors.ts';
import type { WireDevcontainer } from '../../http/wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import { findingLines, keyOf, meaningLines } from '../output/finding-lines.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { getDevcontainer } from './follow-operation.ts';
import { sendAbout } from './refused.ts';

type Verdict = NonNullable<WireDevcontainer['verdict']>;

export interface TrustFlags extends LocationFlags {
  /** Accept what is shown, without a question. */
  readonly yes?: boolean;
  /** Accept exactly this. */
  readonly hash?: string;
  readonly revoke?: boolean;
}

/** Shows what a configuration can do to this machine, and accepts it when a person says so. */
export async function trust(context: CommandContext, flags: TrustFlags, name: string): Promise<number> {
  const entry = await getDevcontainer(context.client, (await findDevcontainer(context.client, name)).id);
  if (flags.revoke === true) return revoke(context, flags, entry);
  const verdict = verdictOf(entry);
  showVerdict(context.output, entry, verdict);
  const title = plainText(entry.name);
  // What can do nothing may be accepted all the same: only then it is started by itself.
  const isAccepted = entry.trust?.hash === verdict.hash;
  const isMeant = isAccepted || (flags.yes !== true && flags.hash === undefined);
  if (entry.trusted && isMeant && (flags.hash ?? verdict.hash) === verdict.hash) {
    context.output.result(reportOf(entry, verdict, true));
    context.output.line(`Nothing is left to accept.${entry.container ? '' : ` Next: agentcontainers up ${title}`}`);
    if (!isAccepted && verdict.findings?.length === 0)
      context.output.line(`So that it may be started by itself too: agentcontainers trust --yes ${title}`);
    return EXIT.ok;
  }
  const hash = flags.hash ?? ((await saysYes(context, flags, title)) ? verdict.hash : undefined);
  if (hash === undefined) return refuse(context.output, entry, verdict);
  await accept(context, entry, hash);
  context.output.result(reportOf(entry, verdict, true));
  // A container that is there was made without what was not accepted, and an `up` leaves it as it is.
  const next = entry.container ? 'recreate' : 'up';
  context.output.line(`Accepted, as long as it stays the same. Next: agentcontainers ${next} ${title}`);
  return EXIT.ok;
}

/** Gives trust in exactly these findings; another process may have changed the files meanwhile: `verdict-changed`. */
export async function accept({ client }: CommandContext, entry: WireDevcontainer, hash: string): Promise<void> {
  await sendAbout(client, entry.name, { method: 'POST', path: devcontainerPath(entry.id, '/trust'), body: { hash } });
}

/** The findings, compared with what was accepted before. */
export function showVerdict(output: Output, { name, trust: given }: WireDevcontainer, verdict: Verdict): void {
  const { findings = [] } = verdict;
  if (findings.length === 0 && given === undefined) {
    output.line(`${plainText(name)} can do nothing to this machine.`);
    return;
  }
  const since = given === undefined ? 'nobody has accepted it' : `compared with what was accepted on ${given.at}`;
  output.line(`What ${plainText(name)} can do to this machine (${since}):`);
  for (const line of findingLines(findings, given?.findings, output.colors)) output.line(line);
  for (const line of meaningLines(findings, output.colors)) output.line(line);
}

async function saysYes({ output, confirm }: CommandContext, flags: TrustFlags, title: string): Promise<boolean> {
  if (flags.yes === true) return true;
  if (confirm === undefined) return false;
  return confirm(`Accept ${output.errorColors.bold('all of this')} for ${title}, as long as it stays the same?`);
}

/** Nothing was accepted. With --json the refusal is part of the one answer. */
function refuse(output: Output, entry: WireDevcontainer, verdict: Verdict): number {
  const next = `Accept it with \`agentcontainers trust --yes ${plainText(entry.name)}\`, or exactly what is shown with \`agentcontainers trust --hash ${plainText(verdict.hash)} ${plainText(entry.name)}\`.`;
  const error = { code: 'devcontainer-not-trusted', message: 'Nothing was accepted.', next };
  output.result({ ...reportOf(entry, verdict, false), error });
  output.note(`${error.message} ${next}`);
  return EXIT.conflict;
}

async function revoke({ client, output }: CommandContext, flags: TrustFlags, entry: WireDevcontainer): Promise<number> {
  const query = flags.hash === undefined ? '' : `?hash=${encodeURIComponent(flags.hash)}`;
  await sendAbout(client, entry.name, { method: 'DELETE', path: devcontainerPath(entry.id, `/trust${query}`) });
  const after = await getDevcontainer(client, entry.id);
  output.result({ id: entry.id, name: entry.name, trusted: after.trusted, revoked: entry.trust ?? null });
  const title = plainText(entry.name);
  if (entry.trust === undefined) output.line(`Nothing had been accepted for ${title}.`);
  else if (after.trusted) output.line(`Taken back; ${title} can do nothing to this machine now.`);
  else
    output.line(
      `Taken back. What runs goes on; until it is accepted again ${title} is made anew without it, or not at all.`,
    );
  return EXIT.ok;
}

function reportOf(entry: WireDevcontainer, verdict: Verdict, trusted: boolean): object {
  const { findings = [] } = verdict;
  const before = entry.trust?.findings ?? [];
  const without = (all: typeof findings, those: typeof findings): typeof findings => {
    const keys = new Set(those.map(keyOf));
    return all.filter((finding) => !keys.has(keyOf(finding)));
  };
  return {
    id: entry.id,
    name: entry.name,
    trusted,
    hash: verdict.hash,
    findings,
    added: without(findings, before),
    removed: without(before, findings),
  };
}

/** Findings are there as soon as the configuration was read. */
export function verdictOf(entry: WireDevcontainer): Verdict {
  const { verdict, config_error: problem, config_path: path = '', level } = entry;
  // A verdict without its findings cannot be shown, so it cannot be accepted either.
  if (verdict?.findings !== undefined) return verdict;
  const what = `Looking at ${plainText(entry.name)} failed`;
  if (level === 'seen') {
    throw new AgentContainersError('devcontainer-not-adopted', `${what}: it is only listed, its files are not read.`, {
      details: { detail: `Adopt it with: agentcontainers up ${entry.workspace_folder}` },
    });
  }
  if (problem !== undefined) {
    throw new AgentContainersError('config-invalid', `${what}: its configuration cannot be read.`, {
      details: { detail: `${path}:${problem.line}:${problem.column}: ${problem.message}` },
    });
  }
  throw new AgentContainersError('config-not-found', `${what}: its configuration was not read yet.`, {
    details: { detail: `Is ${path || entry.workspace_folder} there? If so, try again in a moment.` },
  });
}
