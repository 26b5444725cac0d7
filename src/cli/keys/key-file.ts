/** What the `keys` commands read and write: a key file, or an entry of a Kubernetes Secret manifest. */

import { lstatSync, statSync } from 'node:fs';
import { RotationError } from '../../key-sets/rotation.ts';
import { isKeySetName } from '../../key-sets/settings.ts';
import { CommandFailure, unwrap } from '../failure.ts';
import { readInput } from '../input.ts';
import { parseSecretManifest, type SecretEntry } from '../secret-manifest.ts';
import { type Place, replaceFile, rotateFile } from './write-file.ts';

export interface KeyFile {
  /** For messages: the path of the file, or the name of the entry. */
  readonly name: string;
  read(): Uint8Array;
  write(content: Uint8Array): void;
  /** The file, or the entry of the same Secret, in which `keys rotate` keeps the old key. */
  readonly previous: {
    readonly name: string;
    /** @returns undefined if it is not there */
    read(): Uint8Array | undefined;
  };
  /** Keeps the content in `previous`, and replaces it. */
  rotate(content: Uint8Array, place: Place): void;
}

const suffix = '.previous';

/** Whether this is where `keys rotate` keeps an old key. */
export function isPrevious(name: string): boolean {
  return name.endsWith(suffix);
}

/**
 * @param path a key file, a manifest (`*.yaml`, `*.yml`), or `-` for a manifest from standard input to standard output
 * @param entry which entry of the manifest; needed if there are several
 * @throws {CommandFailure}
 */
export function openKeyFile(path: string, entry: string | undefined): KeyFile {
  if (path === '-' || /\.ya?ml$/.test(path)) return openManifestEntry(path, entry);
  if (entry !== undefined) {
    throw new CommandFailure(`--entry is for a Secret manifest, and ${path} is not one (*.yaml, *.yml or -)`);
  }
  const previous = path + suffix;
  let old: Uint8Array | undefined;
  const read = () => {
    old ??= readInput(path);
    return old;
  };
  return {
    name: path,
    read,
    write: (content) => replaceFile(path, content, { old: read() }),
    previous: { name: previous, read: () => readIfThere(previous) },
    rotate: (content, place) => rotateFile(path, previous, place, { old: read(), content }),
  };
}

function readIfThere(path: string): Uint8Array | undefined {
  // Not `existsSync`, which does not see a link that leads nowhere.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return readInput(path);
  throw new CommandFailure(`${path} is not a regular file; remove it`);
}

function openManifestEntry(path: string, entry: string | undefined): KeyFile {
  const prefix = path === '-' ? '' : `${path}: `;
  const old = readInput(path);
  const manifest = unwrap(parseSecretManifest(old.toString()), prefix);
  const [found, another] = manifest.entries.filter((each) =>
    entry === undefined ? !isPreviousOf(each) : each.name === entry,
  );
  if (found === undefined || another !== undefined) {
    const names = manifest.entries.map(({ name }) => name).join(', ');
    throw new CommandFailure(`--entry must name one entry of the Secret; it has: ${names || 'none'}`);
  }
  const write = (change: () => void) => {
    change();
    if (path === '-') process.stdout.write(`${manifest}`);
    else replaceFile(path, Buffer.from(`${manifest}`), { old });
  };
  const previous = found.name + suffix;
  return {
    name: found.name,
    read: () => unwrap(found.read(), `${path}: `),
    write: (content) => write(() => found.write(content)),
    previous: {
      name: previous,
      read: () => {
        const kept = found.beside(previous);
        return kept && unwrap(kept.read(), `${path}: `);
      },
    },
    rotate: (content, place) => {
      if (!isKeySetName(previous))
        throw new CommandFailure(`${previous} is too long for an entry of a Secret`);
      const old = unwrap(found.read(), `${path}: `);
      write(() => {
        if (place === 'free') found.addBehind(previous, old);
        else if (place === 'replaceable') found.beside(previous)?.write(old);
        found.write(content);
      });
    },
  };
}

/** Whether the entry holds the old key of another entry, so that the other one is meant. */
function isPreviousOf({ name, beside }: SecretEntry): boolean {
  return isPrevious(name) && beside(name.slice(0, -suffix.length)) !== undefined;
}

/** Turns a step that the rules of rotation refuse into a failure of the command. @param name of the key file */
export function orRotationFailure<T>(name: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof RotationError) throw new CommandFailure(`${name}: ${error.message}`);
    throw error;
  }
}
