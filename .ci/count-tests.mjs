// Sums vitest's JSON reports and prints one line. Exits with 1 when anything failed, or was skipped without being listed here.
import { readFileSync } from 'node:fs';

const SKIPPED = new Set([
  // Not shown to root, as which CI runs, for root may everything.
  'a file that may not be read stops the start instead of being overwritten',
  'nothing is found in a directory that this user may not list; the others are found',
  'TestWhatTheUserMayNotIsRefused of agentcontainers/resident/internal/files',
  // Not where another Docker drops what goes between the containers of ours; then on Podman.
  'a port forward reaches another service of its network by name, as a connection does',
]);

let passed = 0;
let failed = 0;
let skipped = 0;
for (const path of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  const files = report.testResults ?? [];
  passed += report.numPassedTests ?? 0;
  failed += report.numFailedTests ?? 0;
  skipped += (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
  // A file that could not be loaded has no tests to count, and a run without a report has no files.
  failed += files.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  if (!report.testResults) failed += 1;
  const lacking = files
    .flatMap((file) => file.assertionResults)
    .filter(({ status, fullName }) => status !== 'passed' && status !== 'failed' && !SKIPPED.has(fullName));
  // What a test needs has to be there: else nobody would notice that it is not run any more.
  for (const { fullName } of lacking) console.error(`Skipped, and must not be in CI: ${fullName}`);
  skipped -= lacking.length;
  failed += lacking.length;
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
