/** How many signatures a second: each scenario under the same load, beside other servers in the same minutes. */

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Figure, format, median, progress } from './report.ts';
import type { Server } from './server.ts';
import { type Load, runWrk } from './wrk.ts';

export interface Scenario {
  readonly name: string;
  readonly load: Load;
  /** Signatures in one request. */
  readonly signatures: number;
  /** Set where the other servers can do it too: how many times the one on node:http it must reach. */
  readonly overNodeHttp?: number;
  /** Set for a format: how many times the cost of a raw signature of the same bytes it may have. */
  readonly atMostRaw?: number;
}

/** The key sets of the scenarios, for the signer's --config. */
export const configuration = `keys:
  demo: {}
  session: { format: jwt, jwt: { issuer: https://shop.example, audience: shop, maxLifetimeSeconds: 3600 } }
  orders: { format: standard-webhooks }
`;

const guard = { 'Sec-Signer': '1' };
const json = { ...guard, 'Content-Type': 'application/json' };
const message = 'x'.repeat(256);

/** @param key the content of the key file of the key set `demo`; the first scenario is the raw signature */
export function scenarios(key: Buffer): readonly Scenario[] {
  const post = (operation: string, headers: Load['headers'], body: string, keySet = 'demo'): Load => ({
    path: `/v1/keys/${keySet}/${operation}`,
    headers,
    body,
  });
  const signature = createHmac('sha256', key).update(message).digest('hex');
  const items = Array.from({ length: 100 }, () => ({ message }));
  return [
    {
      name: 'sign, JSON',
      load: post('sign', json, JSON.stringify({ message })),
      signatures: 1,
      overNodeHttp: 1.3,
    },
    {
      name: 'sign, a JWT with these bytes as a claim',
      load: post('sign', json, JSON.stringify({ claims: { sub: message } }), 'session'),
      signatures: 1,
      atMostRaw: 1.5,
    },
    {
      name: 'sign, a webhook of these bytes',
      load: post('sign', json, JSON.stringify({ body: message }), 'orders'),
      signatures: 1,
      atMostRaw: 1.5,
    },
    {
      name: 'sign, message as it is',
      load: post('sign', { ...guard, 'Content-Type': 'application/octet-stream' }, message),
      signatures: 1,
    },
    {
      name: 'verify, JSON',
      load: post('verify', json, JSON.stringify({ message, signature })),
      signatures: 1,
    },
    {
      name: 'sign, batches of 100',
      load: post('sign-batch', json, JSON.stringify({ items })),
      signatures: items.length,
    },
  ];
}

export interface Contenders {
  readonly signer: Server;
  readonly nodeHttp: Server;
  readonly bunServe: Server;
}

interface Measured {
  readonly perSecond: number;
  /** Processor time of the server, in microseconds a signature: less disturbed by neighbours. */
  readonly cpuMicros: number;
  readonly p99Ms: number;
}

const warmUpSeconds = 1;
const roundSeconds = 2;

export async function measureThroughput(
  directory: string,
  contenders: Contenders,
  { name, load, signatures, overNodeHttp, atMostRaw }: Scenario,
  raw: Load,
  rounds: number,
): Promise<readonly Figure[]> {
  const names = overNodeHttp ? (['signer', 'nodeHttp', 'bunServe'] as const) : (['signer'] as const);
  const rawMicros: number[] = [];
  const measure = async (server: Server, seconds: number, request: Load): Promise<Measured> => {
    const before = cpuMicros(server);
    const { requests, seconds: took, p99Ms } = await runWrk(directory, server.port, request, seconds);
    const count = requests * signatures;
    return { perSecond: count / took, cpuMicros: (cpuMicros(server) - before) / count, p99Ms };
  };

  for (const each of names) {
    progress(`${name}: warming up ${each}`);
    await measure(contenders[each], warmUpSeconds, load);
  }
  const measured: Record<keyof Contenders, Measured[]> = { signer: [], nodeHttp: [], bunServe: [] };
  for (let round = 1; round <= rounds; round++) {
    // In turns and in changing order, so that what disturbs the machine disturbs all.
    for (const each of round % 2 === 0 ? names.toReversed() : names) {
      progress(`${name}: round ${round} of ${rounds}, ${each}`);
      measured[each].push(await measure(contenders[each], roundSeconds, load));
    }
    if (atMostRaw) rawMicros.push((await measure(contenders.signer, roundSeconds, raw)).cpuMicros);
  }

  const middle = (server: keyof Contenders, field: keyof Measured) =>
    median(measured[server].map((each) => each[field]));
  const ratio = (other: keyof Contenders) =>
    median(measured.signer.map(({ perSecond }, i) => perSecond / (measured[other][i]?.perSecond ?? 0)));
  const about = (server: keyof Contenders) =>
    `${format(middle(server, 'cpuMicros'))} µs of processor each, p99 ${format(middle(server, 'p99Ms'))} ms`;
  const own: Figure = { name, value: middle('signer', 'perSecond'), unit: '/s', detail: about('signer') };
  if (atMostRaw) {
    const value = middle('signer', 'cpuMicros') / median(rawMicros);
    return [
      own,
      {
        name: `${name}: cost over raw`,
        value,
        unit: '×',
        target: { atMost: atMostRaw },
        detail: `${format(median(rawMicros))} µs of processor for raw in the same rounds`,
      },
    ];
  }
  if (overNodeHttp === undefined) return [own];
  const against = (other: keyof Contenders) => `${format(middle(other, 'perSecond'))} /s, ${about(other)}`;
  return [
    own,
    {
      name: `${name}: over node:http`,
      value: ratio('nodeHttp'),
      unit: '×',
      target: { atLeast: overNodeHttp },
      detail: against('nodeHttp'),
    },
    {
      name: `${name}: over bare Bun.serve`,
      value: ratio('bunServe'),
      unit: '×',
      detail: against('bunServe'),
    },
  ];
}

const ticksPerSecond = 100;

/** User and system time of a process so far (proc_pid_stat(5)); NaN where there is no /proc. */
function cpuMicros({ process: { pid } }: Server): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
  } catch {
    return Number.NaN;
  }
}
