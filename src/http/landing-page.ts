import { createHash } from 'node:crypto';
import type { Devcontainer, ListResult } from '../agentcontainers/api.ts';

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.4rem 0.8rem; border-bottom: 1px solid #8884; vertical-align: top; }
td { overflow-wrap: anywhere; }
code { font-size: 0.9em; }
.error { color: #b00020; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #8cf; } .error { color: #f88; } }
`;

/** The one thing a page may contain beside text: exactly this style. */
export const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

const REFRESH_SECONDS = 5;

/** What the printed link leads to: the devcontainers as a table, without a script, renewed every few seconds. */
export function renderLandingPage(list: ListResult): string {
  const rows = list.devcontainers.map(renderRow).join('\n');
  const table = `<table>
<thead><tr><th>Name</th><th>Folder</th><th>Status</th><th>Sub-agent</th></tr></thead>
<tbody>
${rows}
</tbody>
</table>`;
  const empty = '<p>No dev container yet. <code>agentcontainers up &lt;folder&gt;</code> brings one up.</p>';
  const warnings = list.warnings.map((warning) => `<li>${escapeHtml(warning)}</li>`).join('\n');
  return page(
    `<meta http-equiv="refresh" content="${REFRESH_SECONDS}">`,
    `${list.devcontainers.length > 0 ? table : empty}
${warnings === '' ? '' : `<h2>Warnings</h2>\n<ul>${warnings}</ul>`}
<p>${list.containers.length} container${list.containers.length === 1 ? '' : 's'} in all.
As JSON: <a href="/api/v0/containers">containers</a>, <a href="/api/openapi.json">description of the API</a>.</p>`,
  );
}

function renderRow(entry: Devcontainer): string {
  const status = [
    entry.status,
    ...(entry.dirty ? ['configuration changed'] : []),
    ...(entry.verdict && !entry.trusted ? ['not trusted'] : []),
  ].join(', ');
  const error = entry.error === undefined ? '' : `<br><span class="error">${escapeHtml(entry.error)}</span>`;
  const agent = entry.agent ? `${entry.agent.name} (${entry.agent.status})` : '';
  const cells = [entry.name, entry.workspaceFolder].map((text) => `<td>${escapeHtml(text)}</td>`).join('');
  return `<tr>${cells}<td>${escapeHtml(status)}${error}</td><td>${escapeHtml(agent)}</td></tr>`;
}

export function renderErrorPage(message: string, detail: string | undefined): string {
  return page('', `<p class="error">${escapeHtml(message)}</p>\n<p>${escapeHtml(detail ?? '')}</p>`);
}

/**
 * Leads from a login to the start page. Used where a redirect would still count as coming from the foreign page that
 * held the link, so that the browser would keep the new cookie back.
 */
export function renderLoginPage(): string {
  return page('<meta http-equiv="refresh" content="0; url=/">', '<p><a href="/">Go on</a></p>');
}

function page(head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>agentcontainers</title>
<style>${STYLE}</style>
${head}
</head>
<body>
<h1>agentcontainers</h1>
${body}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
