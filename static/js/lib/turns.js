// Work that is done one after the other, in the order in which it came.

// Returns a function that takes a task (a function, which may be asynchronous) and promises its
// result. A task that fails holds up none behind it.
export function createTurns() {
  let last = Promise.resolve();
  return (task) => {
    const done = last.then(task);
    last = done.catch(() => {});
    return done;
  };
}
