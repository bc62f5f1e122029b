import type { Scope } from '../../async/abort.ts';
import { SUB_AGENT_GRACE } from '../constants.ts';
import type { ContainerRuntime, SubAgentProcess } from '../ports.ts';

interface Supervised {
  readonly id: string;
  readonly containerId: string;
  readonly process: SubAgentProcess;
  readonly scope: Scope;
}

/** The sub-agent processes that run, by the job that started each. */
export interface Supervision {
  add(jobId: string, supervised: Supervised): void;
  /** What is told of being busy is true from now on. */
  tellBusy(id: string): void;
  /** Asks the process of this job to end and waits for it within its grace. */
  end(jobId: string): Promise<void>;
  /** The same for whatever runs in this devcontainer. */
  endOf(id: string): Promise<void>;
  /** Lets go of those that can run on without us, and ends the others. */
  leaveAll(): Promise<void>;
  endAll(): Promise<void>;
  /** What runs in this container, served by the sub-agent there. */
  runtimeIn(containerId: string): ContainerRuntime | undefined;
}

export function createSupervision(): Supervision {
  const processes = new Map<string, Supervised>();

  async function end(jobId: string): Promise<void> {
    const supervised = processes.get(jobId);
    if (!supervised) return;
    await supervised.process.stop(SUB_AGENT_GRACE);
    supervised.scope.release();
    processes.delete(jobId);
  }

  return {
    add(jobId, supervised) {
      processes.set(jobId, supervised);
      void supervised.process.exited.then(() => {
        supervised.scope.release();
        processes.delete(jobId);
      });
    },
    tellBusy(id) {
      for (const supervised of processes.values()) if (supervised.id === id) supervised.process.tellBusy?.();
    },
    end,
    async endOf(id) {
      const jobs = [...processes].filter(([, supervised]) => supervised.id === id).map(([jobId]) => jobId);
      await Promise.all(jobs.map(end));
    },
    async leaveAll() {
      await Promise.all([...processes].map(([jobId, { process }]) => process.detach?.() ?? end(jobId)));
    },
    async endAll() {
      await Promise.all([...processes.keys()].map(end));
    },
    runtimeIn: (containerId) =>
      [...processes.values()].find((supervised) => supervised.containerId === containerId)?.process.runtime,
  };
}
