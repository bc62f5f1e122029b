/** Values of settings that happen to have such a name. */
const ORDINARY = /^(?:true|false|null|none|auto|always|never|default|enabled|disabled|required|optional)$/i;
const MIN_LENGTH = 4;
/** Of what is left of a value without its variables. */
const MIN_PART = 8;
const MARK = '[redacted]';

/**
 * Takes exactly these values out of texts: as they are, as they stand in JSON, and as either stands in a Dockerfile.
 * Values of few characters are left alone, which would blank out ordinary text.
 */
export function withoutValues(values: Iterable<string>): (text: string) => string {
  const forms = new Set<string>();
  for (const value of values) for (const part of partsOf(value)) for (const form of formsOf(part)) forms.add(form);
  // The longest first, so that one inside another does not leave a part of the longer one.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => ordered.reduce((rest, form) => rest.replaceAll(form, () => MARK), text);
}

/** Output comes in lines; and what a variable stands for is not known here. */
function partsOf(value: string): string[] {
  const pieces = value.split(/\$\{[^}$]*\}/);
  const minLength = pieces.length > 1 ? MIN_PART : MIN_LENGTH;
  return [...pieces, ...pieces.flatMap((piece) => piece.split('\n'))]
    .map((piece) => piece.trim())
    .filter((piece) => piece.length >= minLength && !ORDINARY.test(piece));
}

function formsOf(value: string): string[] {
  const json = inJson(value);
  return [value, json, inJson(json), inDockerfile(value), inDockerfile(json)];
}

/** Within double quotes. */
function inDockerfile(text: string): string {
  return text.replace(/(?=["\\$])/g, '\\');
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
