/** The annotation by which `inject` knows later what it has added to a pod template. */

import { type Fields, fieldsOf, isEmptyText, isFields, textOf, textsOf } from './fields.ts';

export const markerName = 'sidecar-signer/injected';
export const label = 'sidecar-signer/inject';
export const signerName = 'signer';
/** The variable by which an application finds its socket. */
export const socketVariable = 'SIGNER_SOCKET';

/**
 * The fields of a pod that are set to false. With a token, an attacker in the application could read the Secret through
 * the API. The variables of Services would tell them what else there is. A shared process namespace would show them the
 * process of the signer.
 */
export const switches: readonly string[] = [
  'automountServiceAccountToken',
  'enableServiceLinks',
  'shareProcessNamespace',
];

const volumeName = /^signer-(?:keys|config|audit|socket(?:-.+)?)$/;

/** What was added beside the container `signer`. */
export interface Marker {
  /** The version that added it. */
  readonly version: string;
  /** A digest of everything that was added. If it is another one today, the manifest is updated. */
  readonly digest: string;
  readonly volumes: readonly string[];
  /** The containers that got the variable. */
  readonly env: readonly string[];
  /** The switches of the pod. */
  readonly pod: readonly string[];
  /** The fields that were there and empty, with their text. The others are removed when nothing is left in them. */
  readonly empty?: Readonly<Record<string, string>>;
}

export function writeMarker(marker: Marker): string {
  return JSON.stringify(marker);
}

/** @returns undefined if there is none, and `invalid` if it cannot be read */
export function readMarker(annotations: Fields): Marker | 'invalid' | undefined {
  const text = annotations[markerName];
  if (text === undefined) return undefined;
  const found = parseObject(textOf(text) ?? '');
  const [version, digest] = [textOf(found?.['version']), textOf(found?.['digest'])];
  if (version === undefined || digest === undefined) return 'invalid';
  const [volumes, pod] = [textsOf(found?.['volumes']), textsOf(found?.['pod'])];
  // Whoever may write annotations must not have a volume of the application removed, or `hostUsers: false`.
  if (!volumes.every((name) => volumeName.test(name)) || !pod.every((name) => switches.includes(name))) {
    return 'invalid';
  }
  const empty = Object.entries(fieldsOf(found?.['empty'])).flatMap(([name, each]) =>
    // Only what `inject` may have found there; other text would be written into the manifest.
    typeof each === 'string' && isEmptyText(each) ? [[name, each] as const] : [],
  );
  return {
    version,
    digest,
    volumes,
    env: textsOf(found?.['env']),
    pod,
    ...(empty.length > 0 && { empty: Object.fromEntries(empty) }),
  };
}

function parseObject(text: string): Fields | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return isFields(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
