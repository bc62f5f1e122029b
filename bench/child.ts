import { spawn } from 'node:child_process';

/** Runs a program to its end and returns its standard output. Rejects with the end of its standard error. */
export function runChild(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: options.env });
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
    const output: Buffer[] = [];
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-1_000);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(Buffer.concat(output).toString());
      reject(new Error(`${command} ${args.slice(0, 4).join(' ')} ended with ${code ?? signal}: ${complaint.trim()}`));
    });
  });
}

/** Runs a program until it prints a line that begins with `text`, then ends it. Resolves with the time of that line. */
export function runUntilLine(
  command: string,
  args: readonly string[],
  text: string,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    let output = '';
    let complaint = '';
    let seenAt: number | undefined;
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (seenAt !== undefined || !output.split('\n').some((line) => line.startsWith(text))) return;
      seenAt = performance.now();
      child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-1_000);
    });
    child.stdin.on('error', () => {});
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      if (seenAt !== undefined) return resolve(seenAt);
      reject(new Error(`${command} ${args.slice(0, 2).join(' ')} never said "${text}": ${output}${complaint}`));
    });
  });
}
