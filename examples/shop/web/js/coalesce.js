/** Many reasons to load a thing again, one load at a time. */

/**
 * Wraps a task so that for each key at most one run is under way and at most one waits behind it. A call during a run is served
 * by the run after it, which begins later than the call: nobody is answered with something older than their question.
 * @template K
 * @param {(key: K) => Promise<void>} task handles its own failures
 * @returns {(key: K) => Promise<void>}
 */
export function coalesce(task) {
  /** @type {Map<K, {present: Promise<void>, next: Promise<void>|null}>} */
  const runs = new Map();

  /** @param {K} key @returns {Promise<void>} */
  function start(key) {
    const run = { present: Promise.resolve(), next: /** @type {Promise<void>|null} */ (null) };
    runs.set(key, run);
    run.present = task(key).finally(() => {
      if (run.next === null) runs.delete(key);
    });
    return run.present;
  }

  return (key) => {
    const run = runs.get(key);
    if (!run) return start(key);
    run.next ??= run.present.catch(() => {}).then(() => start(key));
    return run.next;
  };
}
