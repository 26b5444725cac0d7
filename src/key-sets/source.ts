/** One source of a snapshot: a mounted directory, or the configuration. What of it is in use, and why not the latest. */

/** Names of files that a change added, removed or modified. */
export interface FileChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

/** What everybody but the store may see of a source. */
export interface SourceState {
  /** Why the latest content is not in use. */
  readonly problems: readonly string[];
  /** Since when it has been refused. */
  readonly refusedAt: Date | undefined;
  /** How many contents were put to use, and how many were refused. */
  readonly accepted: number;
  readonly rejected: number;
}

export class Source<Content> implements SourceState {
  /** Made the current snapshot, or waits for what the first one still lacks. */
  inUse: Content | undefined;
  /** The newest that was read, for as long as it can be read. */
  latest: Content | undefined;
  problems: readonly string[] = [];
  refusedAt: Date | undefined;
  accepted = 0;
  rejected = 0;
  readonly #compare: (before: Content | undefined, after: Content) => FileChanges | Promise<FileChanges>;
  #refused: Content | undefined;

  /** @param compare finds the changes that matter; where there are none, nothing has to follow */
  constructor(
    compare: (before: Content | undefined, after: Content) => FileChanges | Promise<FileChanges>,
    content?: Content,
  ) {
    this.#compare = compare;
    this.inUse = content;
    this.latest = content;
  }

  get isWaiting(): boolean {
    return this.latest !== this.inUse;
  }

  /** What the latest would change. */
  async changes(): Promise<FileChanges> {
    if (this.latest === undefined) return { added: [], removed: [], modified: [] };
    return await this.#compare(this.inUse, this.latest);
  }

  /** @param content undefined if it cannot be read: what was refused must not come into force later */
  offer(content: Content | undefined): void {
    this.latest = content ?? this.inUse;
    if (!this.isWaiting) this.#settle();
  }

  accept(): void {
    this.accepted++;
    this.inUse = this.latest;
    this.#settle();
  }

  /** Accepts the latest if it changes nothing that is used. */
  async acceptUnchanged(): Promise<void> {
    if (!this.isWaiting) return;
    const { latest } = this;
    const { added, removed, modified } = await this.changes();
    if (this.latest !== latest || added.length + removed.length + modified.length > 0) return;
    this.inUse = latest;
    this.#settle();
  }

  drop(): void {
    this.inUse = undefined;
    this.latest = undefined;
  }

  /** @returns whether the problems are others than before */
  refuse(problems: readonly string[], at: Date): boolean {
    if (this.#refused !== this.latest) this.rejected++;
    this.#refused = this.latest;
    this.refusedAt ??= at;
    const isNew = problems.join() !== this.problems.join();
    this.problems = problems;
    return isNew;
  }

  #settle(): void {
    this.problems = [];
    this.refusedAt = undefined;
    this.#refused = undefined;
  }
}
