/**
 * The long fuzz: `npm run fuzz -- [element-steps] [seed] [minutes]`, on two threads. Writes its
 * table to benchmarks/results/fuzz.txt; exit code 1 where a law broke.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { judgePair } from './judge.ts';
import { settingOf } from './setting.ts';
import { type Count, Tally } from './tally.ts';
import { runTrial, trialSize } from './trial.ts';

const threads = 2;
const batch = 20;
const results = 'benchmarks/results';

interface Work {
  readonly seed: number;
  readonly from: number;
}

interface Done {
  readonly elementSteps: number;
  readonly counts: Map<string, Count>;
  readonly breaches: string[];
}

/** A batch of trials on a worker's thread. */
function work({ seed, from }: Work): Done {
  const tally = new Tally();
  for (let trial = from; trial < from + batch; trial++) {
    runTrial(settingOf(seed, trial), (pair) => judgePair(pair, tally));
    tally.elementSteps += trialSize;
  }
  const { elementSteps, counts, breaches } = tally;
  return { elementSteps, counts, breaches };
}

interface Goal {
  readonly elementSteps: number;
  readonly seed: number;
  readonly minutes: number;
}

/** Hands out batches until the goal or the time is reached. */
async function fuzz(goal: Goal): Promise<Tally> {
  const total = new Tally();
  const until = Date.now() + goal.minutes * 60_000;
  let next = 0;
  const run = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      const hand = () => {
        if (next * trialSize >= goal.elementSteps || Date.now() >= until) return resolve();
        worker.postMessage({ seed: goal.seed, from: next } satisfies Work);
        next += batch;
      };
      worker.on('error', reject);
      worker.on('message', (done: Done) => {
        total.add(done);
        if (next % (10 * batch) === 0) process.stderr.write(`${progress(total)}\n`);
        hand();
      });
      hand();
    });
  const workers = Array.from({ length: threads }, () => new Worker(fileURLToPath(import.meta.url)));
  await Promise.all(workers.map(run));
  await Promise.all(workers.map((worker) => worker.terminate()));
  return total;
}

function progress(tally: Tally): string {
  return `${tally.elementSteps.toExponential(3)} element-steps, ${tally.broken} broken`;
}

function report(goal: Goal, tally: Tally, seconds: number): string {
  const processors = cpus();
  const asked = [goal.elementSteps, goal.seed, goal.minutes].join(' ');
  return [
    `date      ${new Date().toISOString()}`,
    `machine   ${processors.length} × ${processors[0]?.model}, ${threads} threads`,
    `node      ${process.version}`,
    `command   npm run fuzz -- ${asked}`,
    `seed      ${goal.seed}`,
    `ran       ${tally.elementSteps.toExponential(4)} element-steps in ${seconds.toFixed(0)} s`,
    '',
    tally.table(),
    '',
    tally.broken === 0 ? 'no law broke' : tally.breaches.slice(0, 100).join('\n'),
    '',
  ].join('\n');
}

async function main(): Promise<void> {
  const [elementSteps = 1e10, seed = 20260101, minutes = 600] = process.argv.slice(2).map(Number);
  const goal = { elementSteps, seed, minutes };
  const start = Date.now();
  const tally = await fuzz(goal);
  const text = report(goal, tally, (Date.now() - start) / 1000);
  mkdirSync(results, { recursive: true });
  writeFileSync(`${results}/fuzz.txt`, text);
  process.stdout.write(text);
  process.exitCode = tally.broken === 0 ? 0 : 1;
}

if (isMainThread) await main();
else parentPort?.on('message', (message: Work) => parentPort?.postMessage(work(message)));
