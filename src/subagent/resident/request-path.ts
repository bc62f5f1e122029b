type Query = Readonly<Record<string, string | number | undefined>>;

/** A path of the protocol with those parameters that have a value. */
export function requestPath(path: string, query: Query = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  return given.size === 0 ? path : `${path}?${given.toString()}`;
}

/** `/v1/processes/<id>`, or what is below it. */
export function processPath(
  id: string,
  name?: 'attach' | 'output' | 'stdin' | 'resize' | 'signal' | 'kill',
  query?: Query,
): string {
  const path = `/v1/processes/${encodeURIComponent(id)}`;
  return requestPath(name === undefined ? path : `${path}/${name}`, query);
}
