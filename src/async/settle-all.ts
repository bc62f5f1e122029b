// INVARIANTS
// - Nothing of the work is still under way when the call ends, whether it ends well or badly.
// - The first failure is thrown, after all others have ended too.

/** Like `Promise.all`, but a failure does not leave the others without anyone who waits for them. */
export async function settleAll(work: Iterable<Promise<unknown>>): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
