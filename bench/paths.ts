import { join } from 'node:path';

/** The compiled benchmark lies in bench/.build. */
const repository = join(import.meta.dirname, '../..');

export const ENGINE_SCRIPT = join(repository, 'scripts/engine.sh');
/** What is measured is the built package, as users run it. */
export const LIBRARY = join(repository, 'dist/index.js');
export const DAEMON = join(repository, 'dist/daemon/main.js');
export const DEVCONTAINER_CLI = join(repository, 'node_modules/@devcontainers/cli/devcontainer.js');
