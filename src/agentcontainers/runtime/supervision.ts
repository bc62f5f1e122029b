import type { Scope } from '../../async/abort.ts';
import { SUB_AGENT_GRACE } from '../constants.ts';
import type { SubAgentProcess } from '../ports.ts';

interface Supervised {
  readonly id: string;
  readonly process: SubAgentProcess;
  readonly scope: Scope;
}

/** The sub-agent processes that run, by the job that started each. */
export interface Supervision {
  add(jobId: string, supervised: Supervised): void;
  /** Asks the process of this job to end and waits for it within its grace. */
  end(jobId: string): Promise<void>;
  /** The same for whatever runs in this devcontainer. */
  endOf(id: string): Promise<void>;
  endAll(): Promise<void>;
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
    end,
    async endOf(id) {
      const jobs = [...processes].filter(([, supervised]) => supervised.id === id).map(([jobId]) => jobId);
      await Promise.all(jobs.map(end));
    },
    async endAll() {
      await Promise.all([...processes.keys()].map(end));
    },
  };
}
