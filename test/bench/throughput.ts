/** What a signature costs: processor time of the server, beside other servers in the same minutes. */

import { createHmac } from 'node:crypto';
import { type Figure, format, median, progress } from './report.ts';
import { cpuMicros, type Server } from './server.ts';
import { type Load, runWrk } from './wrk.ts';

export type Contender = 'signer' | 'node:http' | 'Bun.serve' | 'nginx with njs' | 'HAProxy';

/** One kind of request, sent to the signer and to others that can do the same. */
interface Scenario {
  readonly name: string;
  readonly load: Load;
  /** Signatures in one request. */
  readonly signatures: number;
  readonly others: readonly Other[];
}

interface Other {
  readonly server: Contender;
  /** Where it differs from what the signer gets. It makes one signature. */
  readonly load?: Load;
  /** How many times the signer's processor time a signature of the other must cost. */
  readonly atLeast?: number;
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

const post = (operation: string, headers: Load['headers'], body: string, keySet = 'demo'): Load => ({
  path: `/v1/keys/${keySet}/${operation}`,
  headers,
  body,
});

/** The raw signature. The other servers answer it too. */
export const raw = post('sign', { ...guard, 'Content-Type': 'application/octet-stream' }, message);

/** @param key the content of the key file of the key set `demo` */
export function scenarios(key: Buffer): readonly Scenario[] {
  const signature = createHmac('sha256', key).update(message).digest('hex');
  const items = Array.from({ length: 100 }, () => ({ message }));
  // A format may cost half as much again as the raw signature of the same bytes.
  const overRaw = [{ server: 'signer', load: raw, atLeast: 1 / 1.5 }] as const;
  return [
    {
      name: 'sign a raw message',
      load: raw,
      signatures: 1,
      others: [
        { server: 'node:http', atLeast: 1.4 },
        { server: 'nginx with njs', atLeast: 0.78 },
        { server: 'HAProxy' },
        { server: 'Bun.serve' },
      ],
    },
    {
      name: 'sign a message in JSON',
      load: post('sign', json, JSON.stringify({ message })),
      signatures: 1,
      others: [{ server: 'node:http', atLeast: 1.35 }, { server: 'nginx with njs' }, { server: 'Bun.serve' }],
    },
    {
      name: 'sign a batch of 100',
      load: post('sign-batch', json, JSON.stringify({ items })),
      signatures: items.length,
      others: [{ server: 'HAProxy', load: raw, atLeast: 6 }],
    },
    {
      name: 'verify a message in JSON',
      load: post('verify', json, JSON.stringify({ message, signature })),
      signatures: 1,
      others: overRaw,
    },
    {
      name: 'sign a JWT',
      load: post('sign', json, JSON.stringify({ claims: { sub: message } }), 'session'),
      signatures: 1,
      others: overRaw,
    },
    {
      name: 'sign a webhook',
      load: post('sign', json, JSON.stringify({ body: message }), 'orders'),
      signatures: 1,
      others: overRaw,
    },
  ];
}

/** The name of a row that compares. */
export function rowOf(load: Load, { server, load: other = load }: Other): string {
  return `… ${other === load ? '' : 'one raw message '}by ${server === 'signer' ? 'the signer' : server}`;
}

interface Measured {
  /** Processor time of the server a signature. */
  readonly micros: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

const warmUpSeconds = 1;
const roundSeconds = 2;

/** @param servers where one is missing, because it is not installed, there is no figure for it */
export async function measureThroughput(
  directory: string,
  servers: ReadonlyMap<Contender, Server>,
  { name, load, signatures, others }: Scenario,
  rounds: number,
): Promise<readonly Figure[]> {
  const contestants = [{ server: 'signer', load, signatures } as const, ...others].flatMap((each) => {
    const server = servers.get(each.server);
    return server ? [{ signatures: 1, load, ...each, process: server, runs: [] as Measured[] }] : [];
  });
  type Contestant = (typeof contestants)[number];
  const run = async (contestant: Contestant, seconds: number): Promise<Measured> => {
    const { process, load, signatures } = contestant;
    const before = cpuMicros(process);
    const { requests, seconds: took, p99Ms } = await runWrk(directory, process.port, load, seconds);
    const count = requests * signatures;
    return { micros: (cpuMicros(process) - before) / count, perSecond: count / took, p99Ms };
  };

  for (const each of contestants) {
    progress(`${name}: warming up ${each.server}`);
    await run(each, warmUpSeconds);
  }
  for (let round = 1; round <= rounds; round++) {
    // In turns and in changing order, so that what disturbs the machine disturbs all.
    for (const each of round % 2 === 0 ? contestants.toReversed() : contestants) {
      progress(`${name}: round ${round} of ${rounds}, ${each.server}`);
      each.runs.push(await run(each, roundSeconds));
    }
  }

  // A neighbour can only make a round dearer.
  const best = ({ runs }: Contestant) => Math.min(...runs.map(({ micros }) => micros));
  const [own, ...rivals] = contestants;
  if (own === undefined) throw new Error('the signer is not among the servers');
  const middle = (field: keyof Measured) => format(median(own.runs.map((each) => each[field])));
  return [
    {
      name,
      value: best(own),
      unit: 'µs',
      detail: `${middle('perSecond')} a second, p99 of a request ${middle('p99Ms')} ms`,
    },
    ...rivals.map((rival) => ({
      name: rowOf(load, rival),
      value: best(rival) / best(own),
      unit: '×',
      ...('atLeast' in rival && { target: { atLeast: rival.atLeast } }),
      detail: `${format(best(rival))} µs`,
    })),
  ];
}
