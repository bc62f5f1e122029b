import { DEFAULT_GRACE_MS } from '../default-grace.ts';
import { randomUUID } from 'node:crypto';
import type { AttachedProcess, ContainerRuntime } from '../ports.ts';
import { linkedScope } from '../../async/abort.ts';
import { cancelled } from '../../errors.ts';
import { createEngineCommands } from './engine-commands.ts';
import { createEngineFiles } from './engine-files.ts';
import type { EngineWorld } from './engine-process.ts';
import { needsResident } from './needs-resident.ts';
import { readPorts, readStats } from './read-facts.ts';

/**
 * What runs in a container where no resident can, over the engine's own exec. Its limits: commands, their output and their
 * ids are known to this daemon alone, as long as it lives; no terminals, no connections, no watching of ports, no search;
 * trees end by a mark in their environment and by `/bin/sh`. What it cannot do is refused with `runtime-unavailable`.
 */
export function createEngineRuntime(world: EngineWorld): ContainerRuntime {
  const commands = createEngineCommands(world);

  return {
    via: 'engine',
    exec: async (spec, signal) => commands.run(spec, signal),
    async spawn(spec, signal) {
      if (spec.overflow === 'block') throw needsResident('Starting a process', 'its output waits for nobody');
      const process = await commands.start(spec, 'background', signal);
      return process.describe();
    },
    processes: async () => commands.list(),
    process: async (id, options, signal) => commands.wait(id, options?.waitMs ?? 0, signal),
    async *output(id, query = {}) {
      yield* commands.output(id, query);
    },
    async attach(id, options = {}, signal): Promise<AttachedProcess> {
      const process = commands.readable(id, options.offset);
      const scope = linkedScope(signal);
      // Until all is said: what is still to come can be held up by another reader.
      void process.log.closed.then(() => scope.release());
      return {
        get process() {
          return process.describe();
        },
        offset: Math.max(options.offset ?? 0, process.log.start),
        output: endingWith(
          commands.output(id, { offset: options.offset, follow: true, signal: scope.signal }),
          scope.signal,
        ),
        write: (bytes) =>
          options.readOnly === true || scope.signal.aborted
            ? Promise.reject(needsResident(`Writing to process ${id}`, 'this view cannot write'))
            : process.write(bytes),
        closeStdin: () => {
          if (options.readOnly !== true && !scope.signal.aborted) process.closeStdin();
        },
        resize: () => Promise.reject(needsResident(`Resizing process ${id}`, 'it has no terminal')),
        detach: () => scope.abort(cancelled('caller-left')),
        exited: process.exited,
      };
    },
    async writeStdin(id, bytes, options) {
      const process = commands.find(id);
      if (bytes.length > 0) await process.write(bytes);
      if (options?.eof) process.closeStdin();
    },
    resize: async (id) => {
      commands.find(id);
      throw needsResident(`Resizing process ${id}`, 'it has no terminal');
    },
    async signal(id, name, options) {
      const process = commands.find(id);
      const short = name.replace(/^SIG/, '');
      if (short === 'KILL' && options?.tree) await process.kill(0);
      else if (short === 'TERM' && !options?.tree) await process.terminate();
      else
        throw needsResident(
          `Signalling process ${id}`,
          'the engine alone sends TERM to a command and KILL to its tree',
        );
    },
    async kill(id, options) {
      const process = commands.find(id);
      await process.kill(options?.graceMs ?? DEFAULT_GRACE_MS);
      return process.describe();
    },
    forget: async (id) => commands.forget(id),
    files: createEngineFiles(world, randomUUID),
    ports: (signal) => readPorts(world, signal),
    watchPorts: async () => {
      throw needsResident('Watching the ports of the container', 'the engine tells no changes');
    },
    connect: async () => {
      throw needsResident('Connecting to a port of the container', 'the engine alone connects nothing');
    },
    stats: (signal) => readStats(world, signal),
  };
}

/** Ends, instead of throwing, when the view was closed. */
async function* endingWith<T>(source: AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
