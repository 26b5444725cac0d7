/** Commands that are loaded when they run: serving must not wait for what only another command needs. */

export type Action<A extends readonly unknown[]> = (...args: A) => Promise<void>;

/** @param load imports the command's file */
export function loaded<A extends readonly unknown[]>(
  load: () => Promise<(...args: A) => void | Promise<void>>,
): Action<A> {
  return async (...args) => {
    const action = await load();
    await action(...args);
  };
}
