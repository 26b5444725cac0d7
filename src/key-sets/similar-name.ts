/** Suggests a file where the one that a configuration names is missing. */

import { closest, distance } from 'fastest-levenshtein';
import { escapeControls } from '../bytes/text.ts';

/** @returns the end of a message: a question with the nearest of these names, or nothing */
export function similarName(file: string, names: readonly string[]): string {
  const near = names.length > 0 ? closest(file, [...names]) : undefined;
  if (near === undefined || distance(near, file) > 2) return '';
  return `; did you mean ${escapeControls(JSON.stringify(near))}?`;
}
