/** The manifests of the project, in a copy in which keys can be put and images named as a user would. */

import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../support/signer.ts';
import { kubectl } from './kubernetes.ts';

const root = join(import.meta.dirname, '../..');

/** A cluster must find them on its nodes. */
export const images = {
  signer: process.env['SIGNER_IMAGE'] ?? 'sidecar-signer:dev',
  shop: process.env['SHOP_IMAGE'] ?? 'sidecar-signer-demo:dev',
} as const;

export interface Manifests extends Disposable {
  readonly path: string;
  /** Puts a key, in hex, where a kustomization looks for it. Default: `orders`. */
  putKey(kustomization: string, key: Uint8Array, name?: string): void;
  /** An overlay that changes nothing of a kustomization but its images. Returns its directory. */
  withTestImages(kustomization: string): string;
  /** The objects that a kustomization comes to, as YAML. */
  build(kustomization: string): string;
}

export function copyManifests(): Manifests {
  const place = temporaryDirectory();
  const { path } = place;
  cpSync(join(root, 'manifests'), path, { recursive: true });
  return {
    path,
    putKey: (kustomization, key, name = 'orders') => {
      mkdirSync(join(path, kustomization, 'keys'), { recursive: true });
      writeFileSync(join(path, kustomization, 'keys', name), Buffer.from(key).toString('hex'));
    },
    withTestImages: (kustomization) => {
      const overlay = join(path, `tested-${kustomization.replaceAll('/', '-')}`);
      if (existsSync(overlay)) return overlay;
      mkdirSync(overlay);
      const content = {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: [`../${kustomization}`],
        images: [
          // As they are called in the manifests, and by the overlay for production.
          ...['sidecar-signer', 'registry.example.com/sidecar-signer'].map(renamed(images.signer)),
          ...['sidecar-signer-demo', 'registry.example.com/shop'].map(renamed(images.shop)),
        ],
      };
      writeFileSync(join(overlay, 'kustomization.yaml'), JSON.stringify(content));
      return overlay;
    },
    build: (kustomization) => kubectl(['kustomize', join(path, kustomization)]).toString(),
    [Symbol.dispose]: () => place[Symbol.dispose](),
  };
}

const renamed = (image: string) => (name: string) => {
  const [newName, newTag] = image.split(/:(?=[^:/]+$)/);
  return { name, newName, newTag: newTag ?? 'latest' };
};
