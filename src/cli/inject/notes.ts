/** What the user should know about a workload that gets the signer. */

import type { Access } from './access.ts';
import type { Wanted } from './additions.ts';
import { fieldsOf, textOf } from './fields.ts';
import type { InjectOptions } from './options.ts';
import { hasProjectedToken } from './token.ts';
import type { Container, Pod, Workload } from './workload.ts';

/** Containers that are put beside applications, by the names of their containers and images. */
const companions =
  /^(?:istio-proxy|istio-init|linkerd-(?:proxy|init|network-validator)|envoy|kuma-(?:sidecar|dp|init)|consul-dataplane|daprd|vault-agent|vault-agent-init|fluent-?bit|fluentd|filebeat|promtail|vector|alloy|datadog-agent|(?:opentelemetry|otel|otc|aws-otel|adot)[a-z-]*|jaeger-agent|telegraf|logstash|cloud-?sql-proxy|oauth2-proxy|kube-rbac-proxy|config-reloader|configmap-reload|git-sync|k8s-sidecar|[a-z-]*exporter)$/;

interface Planned {
  readonly workload: Workload;
  readonly pod: Pod;
  readonly containers: readonly Container[];
  readonly missing: readonly string[];
  readonly access: Access;
  readonly uid: number;
  readonly wanted: Wanted;
  readonly options: InjectOptions;
}

export function notesOf(planned: Planned): readonly string[] {
  const { pod, missing, uid, options } = planned;
  const notes: string[] = [
    ...companionNotes(planned),
    ...tokenNotes(planned),
    ...liveNotes(planned.workload),
  ];
  if (missing.length > 0) notes.push(`it has no container ${missing.join(', ')}`);
  if (options.uid === undefined && uid !== 65_532) {
    notes.push(`the signer runs as user ${uid}, because the application has user 65532`);
  }
  if (pod.spec['hostNetwork'] === true) {
    notes.push(
      `with hostNetwork, the probes and metrics of the signer are on 127.0.0.1:${options.opsPort} of the node; no other pod of the node may use this port`,
    );
  }
  if (options.tcp) {
    notes.push(
      'with --tcp, every container of the pod can use the signer, at http://127.0.0.1:8700, and so can whoever may forward a port to the pod',
    );
  }
  if (options.classic && !options.tcp && pod.initContainers.length > 0) {
    notes.push('its init containers do not get the socket, because they end before the signer starts');
  }
  return notes;
}

function companionNotes({ containers, options }: Planned): readonly string[] {
  if (options.containers !== undefined || options.callers.length > 0) return [];
  const found = containers.filter(({ name, fields }) => {
    const image = /([^/:@]+)(?:[:@][^/]*)?$/.exec(textOf(fields['image']) ?? '')?.[1] ?? '';
    return companions.test(name) || companions.test(image);
  });
  if (found.length === 0 || found.length === containers.length) return [];
  const names = found.map(({ name }) => name).join(', ');
  const others = containers.filter((each) => !found.includes(each)).map(({ name }) => name);
  return [`${names} can use the signer, too; to prevent it, give --containers ${others.join(',')}`];
}

function tokenNotes({ pod, access, wanted }: Planned): readonly string[] {
  const { account, bindings } = access;
  if (wanted.switches.includes('automountServiceAccountToken')) {
    if (bindings.length === 0) return [];
    return [
      `automountServiceAccountToken is now false, but ${bindings.join(', ')} gives rights to its service account ${account}; if the application calls the Kubernetes API, set it to true`,
    ];
  }
  if (pod.spec['automountServiceAccountToken'] === false && !hasProjectedToken(pod)) return [];
  return [
    `it has a token of the service account ${account}; make sure that this one may not read the Secret`,
  ];
}

/** Of an object that a cluster has already. */
function liveNotes({ kind, value }: Workload): readonly string[] {
  const isLive = fieldsOf(value['metadata'])['uid'] !== undefined;
  if (!isLive || (kind !== 'Pod' && kind !== 'Job')) return [];
  return [
    `Kubernetes cannot change the containers of a ${kind} that exists; delete it before you apply this`,
  ];
}
