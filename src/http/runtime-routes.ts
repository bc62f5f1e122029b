import { COMMAND_ROUTES } from './command-routes.ts';
import { FILE_ROUTES } from './file-routes.ts';
import { PORT_ROUTES } from './port-routes.ts';
import { PROCESS_ROUTES } from './process-routes.ts';
import type { Route } from './route.ts';

/** What runs in the container of a devcontainer: commands, processes, files and ports. */
export const RUNTIME_ROUTES: readonly Route[] = [...COMMAND_ROUTES, ...PROCESS_ROUTES, ...FILE_ROUTES, ...PORT_ROUTES];
