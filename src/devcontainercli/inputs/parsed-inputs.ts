/** A file that a configuration refers to, parsed. */
export interface ParsedFile {
  /** Absolute path. */
  readonly path: string;
  /** As findings and inputs name it: `./…` relative to the workspace folder, or the absolute path outside of it. */
  readonly name: string;
  /** What its JSON or YAML says; untrusted. */
  readonly document: unknown;
}

/** Everything of a configuration that decides what a container may do: what findings are made from. */
export interface ParsedInputs {
  /** Real path. */
  readonly workspaceFolder: string;
  readonly configPath: string;
  /** Where it was really read. Default: where it is named. */
  readonly realConfigPath?: string | undefined;
  /** Parsed devcontainer.json, before any substitution of variables. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The compose files in their order, then every file that they take in by `extends` or `include`. Empty without compose. */
  readonly compose: readonly ParsedFile[];
  /** `devcontainer-feature.json` of features that lie beside the configuration. */
  readonly localFeatures: readonly ParsedFile[];
  /** Ids of features from elsewhere, as written. */
  readonly remoteFeatures: readonly string[];
  /**
   * Variables that compose takes from `.env` and from env files named for interpolation; what a compose file asks for
   * may depend on them.
   */
  readonly composeVariables: Readonly<Record<string, string>>;
}
