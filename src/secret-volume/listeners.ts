/** The listeners of one event. A listener that throws is reported as a process warning, and the others still run. */

import { kindOf } from './problem.ts';

export interface Listeners<E> {
  /** Returns a function that removes the listener. */
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

/** Calls one listener and waits for it. Never rejects. */
export async function call<E>(listener: (event: E) => unknown, event: E): Promise<void> {
  try {
    await listener(event);
  } catch (error) {
    // Only the class and the stack frames: the message could contain the secret that the listener works with.
    const frames = (error instanceof Error && error.stack?.match(/^\s+at .*$/gm)) || [];
    const place = frames.length > 0 ? { detail: frames.join('\n') } : {};
    process.emitWarning(`a listener of a secret volume failed: ${kindOf(error)}`, {
      code: 'SECRET_VOLUME_LISTENER',
      ...place,
    });
  }
}
