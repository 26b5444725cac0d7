/**
 * Frees what a load has left behind, when it is over. The runtime collects garbage only as memory grows, so that the last of
 * it, some three mebibytes, would stay until the next load.
 */

/** A load has at least so many answers. Fewer leave too little to be worth collecting, which takes up to 10 ms. */
const loadAnswers = 10_000;
/** How often to look whether the load is over, in milliseconds. */
const lookMs = 1000;
/** It is over when there are at most so many answers between two looks. */
const fewAnswers = 20;

/** @returns to be called with each answer */
export function createAfterLoad(free: () => void): () => void {
  /** Since memory was freed. */
  let answers = 0;
  const freeWhenOver = () => {
    const before = answers;
    setTimeout(() => {
      if (answers - before > fewAnswers) return freeWhenOver();
      answers = 0;
      free();
    }, lookMs);
  };
  return () => {
    answers += 1;
    if (answers === loadAnswers) freeWhenOver();
  };
}
