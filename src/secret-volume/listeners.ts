/** Callbacks of one kind of event. A listener that fails is reported as a process warning and stops nobody else. */

import { kindOf } from './problem.ts';

export interface Listeners<E> {
  /** Returns what removes the listener again. */
  add(listener: (event: E) => unknown): () => void;
  emit(event: E): void;
  clear(): void;
}

export function createListeners<E>(): Listeners<E> {
  const listeners = new Set<(event: E) => unknown>();
  return {
    add: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit: (event) => {
      for (const listener of listeners) void call(listener, event);
    },
    clear: () => listeners.clear(),
  };
}

/** Calls one listener, and waits for it if it is asynchronous; its failure is its own. */
export async function call<E>(listener: (event: E) => unknown, event: E): Promise<void> {
  try {
    await listener(event);
  } catch (error) {
    // Its kind and place; its message could repeat the secret that the listener was working with.
    const frames = (error instanceof Error && error.stack?.match(/^\s+at .*$/gm)) || [];
    const place = frames.length > 0 ? { detail: frames.join('\n') } : {};
    process.emitWarning(`a listener of a secret volume failed: ${kindOf(error)}`, {
      code: 'SECRET_VOLUME_LISTENER',
      ...place,
    });
  }
}
