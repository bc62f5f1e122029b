import type { ConfigError } from '../../agentcontainers/model/devcontainer.ts';
import { plainLine, shorten } from '../../text/plain-text.ts';

const MAX_MESSAGE = 400;

/** A file without which it cannot be told what a configuration is: nothing is done with it until that is mended. */
export class InvalidInput extends Error {
  readonly configError: ConfigError;

  /** @param name of the file, as inputs name it; set for another file than the devcontainer.json itself */
  constructor(error: ConfigError, name?: string) {
    const { message, line, column } = error;
    // The name and what is quoted of a file come from the workspace.
    const text =
      name === undefined ? message : `${shorten(name, MAX_MESSAGE / 2)}, line ${line}, column ${column}: ${message}`;
    const shown = plainLine(shorten(text, MAX_MESSAGE));
    super(shown);
    this.configError = { message: shown, line, column };
  }
}

/** What is wrong with a file; of one that lies outside of the workspace not a word of it is quoted. */
export function quotable({ isInside }: { readonly isInside: boolean }, error: ConfigError): ConfigError {
  return isInside ? error : { ...error, message: 'it cannot be understood' };
}
