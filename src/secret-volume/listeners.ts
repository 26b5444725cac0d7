/** Callbacks of one kind of event. A listener that fails is reported as a process warning and stops nobody else. */

export interface Listeners<E> {
  /** Returns what removes the listener again. */
  add(listener: (event: E) => unknown): () => void;
  emit(event: E): void;
  clear(): void;
}

export function createListeners<E>(): Listeners<E> {
  const listeners = new Set<(event: E) => unknown>();
  const call = async (listener: (event: E) => unknown, event: E) => {
    try {
      await listener(event);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  };
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
