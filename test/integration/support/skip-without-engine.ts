import { inject, TestRunner } from 'vitest';
import type { RunnerTask, RunnerTestFile, VitestTestRunner } from 'vitest';

/** Runs nothing, not even hooks, when there is no engine: every test is reported as skipped, with the reason. */
export default class SkipWithoutEngine extends TestRunner {
  async onCollected(files: RunnerTestFile[]): Promise<void> {
    const reason = inject('engineMissing');
    if (!reason) return;
    const tasks = files.flatMap((file) => skip(file, reason));
    // Skipping a file reports the file alone; its tests would not be counted.
    await (this as VitestTestRunner).onTaskUpdate?.(
      tasks.map((task) => [task.id, task.result, task.meta]),
      [],
    );
  }
}

function skip(task: RunnerTask, note: string): RunnerTask[] {
  task.mode = 'skip';
  task.result = Object.assign({ state: 'skip' as const }, { note });
  return [task, ...('tasks' in task ? task.tasks.flatMap((child) => skip(child, note)) : [])];
}
