/**
 * Signs without a pause until standard input ends: the load in a pod, run by its text in the container of the frontend.
 * Prints the id of each key when it first signs, and at the end what became of the requests.
 */

interface Report {
  readonly requests: number;
  readonly seconds: number;
  readonly failures: readonly string[];
}

export type LoadLine = { readonly keyId: string } | Report;

const url = 'http://127.0.0.1:8700/v1/keys/orders/sign';
const headers = { 'sec-signer': '1', 'content-type': 'application/json' };
const seen = new Set<string>();
const failures: string[] = [];
let requests = 0;
let running = true;

function print(line: LoadLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function signOn(): Promise<void> {
  while (running) {
    const body = JSON.stringify({ message: `message ${requests++}` });
    try {
      const response = await fetch(url, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      const { keyId } = (await response.json()) as { keyId: string };
      if (!seen.has(keyId)) print({ keyId });
      seen.add(keyId);
    } catch (error) {
      failures.push(`${new Date().toISOString()} ${error}`);
    }
  }
}

const started = performance.now();
const loops = Array.from({ length: 8 }, signOn);
for await (const _ of process.stdin);
running = false;
await Promise.all(loops);
print({ requests, seconds: (performance.now() - started) / 1000, failures });
