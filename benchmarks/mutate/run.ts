/**
 * The long run: `npm run mutate -- [inputs a layout] [seed] [layouts, comma-separated]`. Mutated
 * copies of real checkpoints are opened and read; only findings or typed errors may come of it, each
 * within a second. Renews the layouts' lines in benchmarks/results/mutations.txt; exit code 1 at a
 * breach.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openEngine } from '../../src/engines/choose.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { readCorpus, type Specimen } from './corpus.ts';
import { mutated, runTrial } from './trial.ts';

const threads = 2;

/** Opening is what hostile bytes attack: of so many copies one is scanned to its last byte. */
const scanEvery = 32;

const batch = 200;
const fixtures = 'test/fixtures/formats';
const results = 'benchmarks/results/mutations.txt';

/** Slower than that is a breach, when it is as slow every time: others may have the processor. */
const slowMs = 1000;
const slowTimes = 5;

/** No answer for that long: the thread hangs. */
const hangMs = 20_000;

/** Heap of a worker; past it V8 ends the thread, and that is a breach. */
const heapMiB = 512;

interface Work {
  readonly layout: string;
  readonly seed: number;
  readonly from: number;
  readonly count: number;
}

interface Done {
  readonly counts: Record<string, number>;
  readonly breaches: readonly string[];
  readonly slowestMs: number;
}

async function timed(specimens: readonly Specimen[], seed: number, trial: number) {
  engine ??= await openEngine('wasm');
  const input = mutated(specimens, seed, trial);
  const start = performance.now();
  const outcome = await runTrial(input, engine, trial % scanEvery === 0);
  return { input, outcome, milliseconds: performance.now() - start };
}

let engine: Engine | undefined;

/** A batch on a worker's thread; `heart` holds the trial at work. */
async function work(
  corpus: Map<string, Specimen[]>,
  { layout, seed, from, count }: Work,
  heart: Int32Array,
): Promise<Done> {
  const counts: Record<string, number> = {};
  const breaches: string[] = [];
  let slowestMs = 0;
  const specimens = corpus.get(layout) as Specimen[];
  for (let trial = from; trial < from + count; trial++) {
    Atomics.store(heart, 0, trial);
    let once = await timed(specimens, seed, trial);
    for (let times = 1; once.milliseconds > slowMs && times < slowTimes; times++)
      once = await timed(specimens, seed, trial);
    const { kind, detail } = once.outcome;
    counts[kind] = (counts[kind] ?? 0) + 1;
    slowestMs = Math.max(slowestMs, once.milliseconds);
    const where = `${layout} seed ${seed} trial ${trial} (${once.input.specimen.name})`;
    if (detail !== undefined)
      breaches.push(`${where}: ${detail.split('\n').slice(0, 4).join(' | ')}`);
    if (once.milliseconds > slowMs) breaches.push(`${where}: ${Math.round(once.milliseconds)} ms`);
  }
  return { counts, breaches, slowestMs };
}

interface Tally {
  inputs: number;
  readonly counts: Map<string, number>;
  readonly breaches: string[];
  slowestMs: number;
}

/** One thread and the watch over it: a hang or a crash is a breach, and the rest goes on without it. */
class Lane {
  readonly #heart = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker;

  constructor() {
    this.#worker = this.#start();
  }

  #start(): Worker {
    return new Worker(fileURLToPath(import.meta.url), {
      workerData: this.#heart,
      resourceLimits: { maxOldGenerationSizeMb: heapMiB },
    });
  }

  async run(asked: Work, tally: Tally): Promise<void> {
    let { from, count } = asked;
    while (count > 0) {
      const done = await this.#ask({ ...asked, from, count });
      if (typeof done !== 'string') {
        for (const [kind, times] of Object.entries(done.counts))
          tally.counts.set(kind, (tally.counts.get(kind) ?? 0) + times);
        tally.breaches.push(...done.breaches);
        tally.slowestMs = Math.max(tally.slowestMs, done.slowestMs);
        tally.inputs += count;
        return;
      }
      const trial = Atomics.load(this.#heart, 0);
      tally.breaches.push(`${asked.layout} seed ${asked.seed} trial ${trial}: ${done}`);
      tally.inputs += trial - from + 1;
      count -= trial - from + 1;
      from = trial + 1;
      await this.#worker.terminate();
      this.#worker = this.#start();
    }
  }

  /** What came of it, or how it ended instead. */
  #ask(asked: Work): Promise<Done | string> {
    const worker = this.#worker;
    return new Promise((resolve) => {
      let last = -1;
      const watch = setInterval(() => {
        const trial = Atomics.load(this.#heart, 0);
        if (trial === last) end('no answer');
        last = trial;
      }, hangMs);
      const end = (result: Done | string) => {
        clearInterval(watch);
        worker.off('message', end).off('error', failed).off('exit', left);
        resolve(result);
      };
      const failed = (error: Error) => end(`the thread ended: ${String(error)}`);
      const left = (code: number) => end(`the thread ended with code ${code}`);
      worker.on('message', end).on('error', failed).on('exit', left);
      worker.postMessage(asked);
    });
  }

  stop(): Promise<number> {
    return this.#worker.terminate();
  }
}

async function mutateLayout(layout: string, inputs: number, seed: number): Promise<Tally> {
  const tally: Tally = { inputs: 0, counts: new Map(), breaches: [], slowestMs: 0 };
  const lanes = Array.from({ length: threads }, () => new Lane());
  let next = 0;
  const drive = async (lane: Lane) => {
    while (next < inputs) {
      const from = next;
      next += batch;
      await lane.run({ layout, seed, from, count: Math.min(batch, inputs - from) }, tally);
    }
    await lane.stop();
  };
  await Promise.all(lanes.map(drive));
  return tally;
}

function line({ layout, seed, tally }: { layout: string; seed: number; tally: Tally }): string {
  const { inputs, counts, breaches, slowestMs } = tally;
  const take = (kind: string) => counts.get(kind) ?? 0;
  const refused = [...counts].filter(([kind]) => !['findings', 'quiet', 'breach'].includes(kind));
  const reasons = refused.sort((a, b) => b[1] - a[1]).map(([kind, times]) => `${kind} ${times}`);
  return [
    layout.padEnd(22),
    String(inputs).padStart(8),
    String(take('findings')).padStart(9),
    String(take('quiet')).padStart(8),
    String(breaches.length).padStart(9),
    `${slowestMs.toFixed(0).padStart(5)} ms`,
    ` ${seed}`,
    ` ${new Date().toISOString().slice(0, 10)}`,
    ` ${reasons.join(', ')}`,
  ].join(' ');
}

const head = `${'layout'.padEnd(22)}   inputs  findings    quiet  breaches  slowest  seed      date        refused`;

/** The lines of the last runs, with those of this one in their place. */
function renew(lines: ReadonlyMap<string, string>): string {
  const before = existsSync(results) ? readFileSync(results, 'utf8').split('\n') : [];
  const kept = before.filter((each) => /^\S+ +\d+ +\d/.test(each));
  const all = new Map([
    ...kept.map((each) => [each.split(' ')[0] as string, each] as const),
    ...lines,
  ]);
  const processors = cpus();
  return [
    'Mutated copies of real checkpoints; only findings or typed errors may come of them.',
    `machine   ${processors.length} × ${processors[0]?.model}, Node ${process.version}`,
    'command   npm run mutate -- INPUTS SEED LAYOUT',
    '',
    head,
    ...[...all.keys()].sort().map((layout) => all.get(layout)),
    '',
  ].join('\n');
}

async function main(): Promise<void> {
  const [inputs = 100_000, seed = 20_261_121] = process.argv.slice(2, 4).map(Number);
  const corpus = readCorpus(fixtures);
  const layouts = process.argv[4]?.split(',') ?? [...corpus.keys()];
  const unknown = layouts.filter((layout) => !corpus.has(layout));
  if (unknown.length > 0) throw new Error(`no checkpoints of ${unknown.join(', ')} to mutate`);
  console.log(head);
  for (const layout of layouts) {
    const tally = await mutateLayout(layout, inputs, seed);
    const told = line({ layout, seed, tally });
    console.log(told);
    for (const breach of tally.breaches) console.log(`  ${breach}`);
    if (tally.breaches.length > 0) process.exitCode = 1;
    writeFileSync(results, renew(new Map([[layout, told]])));
  }
}

if (isMainThread) await main();
else {
  const corpus = readCorpus(fixtures);
  const heart = workerData as Int32Array;
  parentPort?.on('message', async (asked: Work) => {
    parentPort?.postMessage(await work(corpus, asked, heart));
  });
}
