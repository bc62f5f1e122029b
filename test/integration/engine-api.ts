import { request } from 'node:http';

/** `unix:///path` of the engine that these tests may use. */
export function engineHost(): string {
  const host = process.env['AGENTCONTAINERS_TEST_DOCKER_HOST'];
  if (!host?.startsWith('unix://')) throw new Error('AGENTCONTAINERS_TEST_DOCKER_HOST must name a unix socket');
  return host;
}

/** The raw API of the engine, for what only tests need. Answers parsed JSON, or text when it is none. */
export function engineApi(): (method: string, path: string, body?: unknown) => Promise<unknown> {
  const socketPath = engineHost().slice('unix://'.length);
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json' };
      const sent = request({ socketPath, method, path: `/v1.41${path}`, headers, timeout: 30_000 }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          if ((response.statusCode ?? 500) >= 400) return reject(new Error(`${method} ${path}: ${text}`));
          try {
            resolve(JSON.parse(text || 'null'));
          } catch {
            resolve(text);
          }
        });
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)));
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
}
