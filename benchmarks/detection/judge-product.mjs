/**
 * Laika's verdict on each trial, through its library and in one process.
 *
 *   node judge-product.mjs COPY trials.jsonl product.jsonl [path of dist/index.js]
 *
 * COPY is a copy of the runs of its own: each trial is patched into it and taken out again, and
 * every judgement reads the files whole, as `laika validate B --base A --log LOG` does. Line:
 * {id, ab, bc}; ab is {verdict, rules, where, element, bit} of (A, damaged B), bc the same of
 * (damaged B, C), null where (A, B) already told. element, bit: a finding holds the flipped
 * element, and says the flipped bit.
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [copy, trials, out, library] = process.argv.slice(2);
const entry = library ?? join(import.meta.dirname, '../../dist/index.js');
const { findLogs, judge, openEngine, readLogs } = await import(pathToFileURL(resolve(entry)).href);

function patch(trial, column) {
  for (const [file, at, ...sides] of trial.patches) {
    const handle = openSync(join(copy, file), 'r+');
    const bytes = Buffer.from(sides[column], 'hex');
    writeSync(handle, bytes, 0, bytes.length, at);
    closeSync(handle);
  }
}

const logs = new Map();

async function logOf(trial, head) {
  const beside = join(copy, trial.run, 'metrics.jsonl');
  if (!existsSync(beside)) return (await findLogs(join(copy, head))).log;
  if (!logs.has(beside)) logs.set(beside, await readLogs([beside]));
  return logs.get(beside);
}

const engine = await openEngine('wasm');

async function verdictOn(trial, base, head) {
  const request = {
    head: join(copy, head),
    base: join(copy, base),
    options: { log: await logOf(trial, head) },
    engine,
    next: '',
  };
  const { verdict, findings } = await judge(request);
  const confirmed = findings.filter(({ certainty }) => certainty === 'confirmed');
  const at = confirmed.filter(({ element }) => element && element.index === trial.fault.index);
  return {
    verdict,
    rules: [...new Set(confirmed.map(({ rule }) => rule))],
    where: [...new Set(confirmed.map((each) => each.parameter ?? each.tensor ?? each.file ?? '*'))],
    element: at.length > 0,
    bit: at.some(({ bits }) => bits?.flip === trial.fault.bit),
  };
}

async function judged(trial) {
  patch(trial, 1);
  try {
    const ab = await verdictOn(trial, trial.a, trial.b);
    return { ab, bc: ab.verdict === 'corrupt' ? null : await verdictOn(trial, trial.b, trial.c) };
  } finally {
    patch(trial, 0);
  }
}

const sink = createWriteStream(out);
for await (const line of createInterface({ input: createReadStream(trials) })) {
  const trial = JSON.parse(line);
  const answer = await judged(trial).catch((error) => ({ error: String(error?.stack ?? error) }));
  sink.write(`${JSON.stringify({ id: trial.id, ...answer })}\n`);
}
sink.end();
await engine.close();
