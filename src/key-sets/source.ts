/**
 * One source of a snapshot: a key directory or the configuration. Tracks what is in use, and why the latest content is
 * not.
 */

/** Names of files. */
export interface FileChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

export class Source<Content> {
  /** The content in use. Before the first snapshot: the accepted content, which waits for the other sources. */
  inUse: Content | undefined;
  /** The newest content. While the source cannot be read, the content in use. */
  latest: Content | undefined;
  /** Names of the files that changed since what is in use was read. */
  readonly changedFiles = new Set<string>();
  /** Why the latest is not in use, and since when. */
  problems: readonly string[] = [];
  refusedAt: Date | undefined;
  /** How many contents were put to use, and how many were refused. */
  accepted = 0;
  rejected = 0;
  readonly #has: (content: Content, file: string) => boolean;
  #refused: Content | undefined;

  constructor(has: (content: Content, file: string) => boolean, content?: Content) {
    this.#has = has;
    this.inUse = content;
    this.latest = content;
  }

  get isWaiting(): boolean {
    return this.latest !== this.inUse;
  }

  /** @param content undefined if it cannot be read; content refused before is then forgotten */
  offer(content: Content | undefined, changedFiles: Iterable<string>): void {
    for (const file of changedFiles) this.changedFiles.add(file);
    this.latest = content ?? this.inUse;
    if (!this.isWaiting) this.#settle();
  }

  /** Puts the latest to use. @returns what it changed */
  accept(): FileChanges {
    const [before, after] = [this.inUse, this.latest];
    const has = (content: Content | undefined, file: string) =>
      content !== undefined && this.#has(content, file);
    const {
      added = [],
      removed = [],
      modified = [],
    } = Object.groupBy([...this.changedFiles].sort(), (file) =>
      !has(before, file) ? 'added' : has(after, file) ? 'modified' : 'removed',
    );
    this.inUse = after;
    this.changedFiles.clear();
    this.#settle();
    return { added: added.filter((file) => has(after, file)), removed, modified };
  }

  /** @returns whether the problems differ from those before */
  refuse(problems: readonly string[], at: Date): boolean {
    const isNew = problems.join() !== this.problems.join();
    if (this.#refused !== this.latest) this.rejected++;
    this.#refused = this.latest;
    this.refusedAt ??= at;
    this.problems = problems;
    return isNew;
  }

  #settle(): void {
    this.problems = [];
    this.refusedAt = undefined;
    this.#refused = undefined;
  }
}
