import { execFile } from 'node:child_process';

/** Standard output of a command; a rejection carries what it said on both streams. Bounded to 100 seconds. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: 100_000, maxBuffer: 1 << 26 };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')} failed: ${stdout}${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
}
