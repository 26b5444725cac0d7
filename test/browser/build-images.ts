/** Builds the images of the demo before the browser suite, once for all of its files. */

import { buildImages } from './demo.ts';
import { obstacle } from './obstacle.ts';

/** Called by vitest once a run. */
export function setup(): void {
  if (obstacle() === undefined) buildImages();
}
