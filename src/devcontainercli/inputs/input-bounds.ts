/** How much of a workspace is looked at for one configuration. Counts, not times: the same files give the same answer on a slow machine. */

/** Of a file that is parsed. */
export const MAX_TEXT_BYTES = 1024 * 1024;
/** Of all copied and watched files. */
export const MAX_FILES = 2_000;
export const MAX_BYTES = 64 * 1024 * 1024;
/** Directory entries that are listed to find these files. */
export const MAX_ENTRIES = 20_000;
/** What it takes to compare these with patterns: characters of their paths, each times the effort of the patterns. */
export const MAX_EFFORT = 1_000_000_000;
/** Deeper directories are not entered. */
export const MAX_DEPTH = 64;
/** Paths that one configuration can name: sources of COPY, env files, features. */
export const MAX_NAMED = 500;
/** Compose files of one configuration. */
export const MAX_COMPOSE_FILES = 50;
/** Variables in one file that compose replaces others by; they are copied for each project that is included. */
export const MAX_ENV_VARIABLES = 5_000;
/** What variables make of one text, and of all texts together with these. UTF-16 code units. */
export const MAX_EXPANDED_TEXT = 64 * 1024;
export const MAX_EXPANDED_IN_ALL = 8 * 1024 * 1024;
/** A path that is longer than the kernel takes. */
export const MAX_PATH = 4_096;
export const MAX_DIRECTORIES = 200;
/** More inputs, or longer names of them all, are one input together. */
export const MAX_INPUTS = 1_000;
export const MAX_INPUT_NAMES = 128 * 1024;
export const MAX_PROBLEMS = 20;
export const MAX_IMAGES = 50;
/** Files of the user's list that are inputs of their own; more of them are one input together. */
export const MAX_WATCHED_ONE_BY_ONE = 100;
/** Shown for a difference, of one input and of all. */
export const MAX_SHOWN_BYTES = 64 * 1024;
export const MAX_SHOWN_BYTES_IN_ALL = 512 * 1024;
/** Directories in which nothing is looked for, wherever they are. */
export const NEVER_ENTERED: ReadonlySet<string> = new Set(['.git', 'node_modules']);
