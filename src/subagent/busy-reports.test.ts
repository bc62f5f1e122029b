import { expect, it } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createBusyReports } from './busy-reports.ts';

function setUp() {
  const clock = createFakeClock();
  const told: (string | undefined)[] = [];
  return { clock, told, reports: createBusyReports(clock, (reason) => told.push(reason)) };
}

it('tells of changes only', async () => {
  const { clock, told, reports } = setUp();
  reports.report(undefined);
  expect(told).toEqual([]);
  for (const reason of ['building', 'building', undefined, undefined, 'testing']) {
    reports.report(reason);
    await clock.run(2_000);
  }
  expect(told).toEqual(['building', undefined, 'testing']);
});

it('tells the first at once, and the last of a burst after a second', async () => {
  const { clock, told, reports } = setUp();
  for (let count = 0; count < 10_000; count++) reports.report(count % 2 === 0 ? `task ${count}` : undefined);
  reports.report('last');
  expect(told).toEqual(['task 0']);
  expect(clock.pending()).toHaveLength(1);
  await clock.run(1_000);
  expect(told).toEqual(['task 0', 'last']);
  await clock.run(1_000);
  expect(clock.pending()).toEqual([]);
});

it('tells at once what it waited with when somebody wants to know', async () => {
  const { clock, told, reports } = setUp();
  reports.report('building');
  reports.report(undefined);
  expect(told).toEqual(['building']);
  reports.flush();
  expect(told).toEqual(['building', undefined]);
  reports.flush();
  expect(told).toHaveLength(2);
  await clock.run(2_000);
  expect(clock.pending()).toEqual([]);
});

it('tells that it is not busy any more when it ends, and nothing after that', async () => {
  const { clock, told, reports } = setUp();
  reports.report('building');
  reports.report('more');
  reports.end();
  expect(told).toEqual(['building', undefined]);
  expect(clock.pending()).toEqual([]);
  reports.end();
  expect(told).toHaveLength(2);
  reports.report('late');
  reports.flush();
  expect(told).toHaveLength(2);
  expect(clock.pending()).toEqual([]);

  const idle = setUp();
  idle.reports.end();
  idle.reports.report('late');
  expect(idle.told).toEqual([]);
});

it('bounds what is told, and names something when there is no reason', async () => {
  const { clock, told, reports } = setUp();
  reports.report('x'.repeat(1_000));
  await clock.run(2_000);
  reports.report('  ');
  expect(told).toEqual(['x'.repeat(200), 'The sub-agent says that it is busy.']);
  reports.end();
});
