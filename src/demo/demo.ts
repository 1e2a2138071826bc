/**
 * `laika demo`: a recorded run is replayed into a folder that a watcher in its own process follows;
 * one bit of one checkpoint is flipped; what a WebSocket client hears of it is printed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LaikaError } from '../checkpoint/errors.ts';
import { readToken, readWatchFile } from '../history/state-folder.ts';
import { packageRoot } from '../package.ts';
import { renderText } from '../report/text.ts';
import { wrapText } from '../report/wording.ts';
import { followStream, type ReceivedEvent } from '../server/follow.ts';
import type { Result } from '../verdict/result.ts';
import { systemClock } from '../watch/system-clock.ts';
import { flipBit, type Planted } from './flip-bit.ts';

type Write = (text: string) => void;

const recorded = join(packageRoot, 'src', 'demo', 'run');
const healthy = ['checkpoint-0080', 'checkpoint-0100', 'checkpoint-0120'];
const damaged = 'checkpoint-0140';

/** One bit of one second moment, in its exponent: it becomes 65,536 times smaller. */
const fault = { tensor: 'exp_avg_sq/up.weight', element: 517, bit: 27 };

/** The whole replay takes some ten seconds; a machine that needs this long cannot run it. */
const patienceMs = 50_000;

interface Stage {
  readonly run: string;
  readonly state: string;
}

function makeStage(): Stage {
  const folder = mkdtempSync(join(tmpdir(), 'laika-demo-'));
  const stage = { run: join(folder, 'run'), state: join(folder, 'state') };
  mkdirSync(stage.run);
  mkdirSync(stage.state);
  copyFileSync(join(recorded, 'metrics.jsonl'), join(stage.run, 'metrics.jsonl'));
  return stage;
}

function startWatcher({ run, state }: Stage): ChildProcess {
  const laika = join(packageRoot, 'bin', 'laika.js');
  const words = [
    laika,
    'watch',
    run,
    '--state-dir',
    state,
    '--interval',
    '1',
    '--listen',
    '127.0.0.1:0',
  ];
  return spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Writes as a trainer should: under a temporary name, then renamed. */
function publish(stage: Stage, name: string, source: string): void {
  const place = join(stage.run, `${name}.safetensors`);
  copyFileSync(source, `${place}.tmp`);
  renameSync(`${place}.tmp`, place);
}

/** Puts the damaged checkpoint in place; what training would have written with one bad bit in memory. */
function publishDamaged(stage: Stage): Planted {
  const { bytes, planted } = flipBit(join(recorded, `${damaged}.safetensors`), fault);
  const place = join(stage.run, `${damaged}.safetensors`);
  writeFileSync(`${place}.tmp`, bytes);
  renameSync(`${place}.tmp`, place);
  return planted;
}

/** The result document's part that an event carries. */
function resultOf(event: ReceivedEvent): Result {
  return event.data as unknown as Result;
}

/** Follows the watcher until it has said `count` verdicts. */
async function hear(
  stage: Stage,
  count: number,
  onVerdict: (result: Result) => void,
): Promise<void> {
  const enough = new AbortController();
  const late = AbortSignal.timeout(patienceMs);
  let heard = 0;
  while (!readWatchFile(stage.state) && !late.aborted) await systemClock.sleep(50, late);
  await followStream({
    address: () => {
      const file = readWatchFile(stage.state);
      return file && { url: file.url, token: readToken(stage.state) };
    },
    since: 'all',
    once: false,
    signal: AbortSignal.any([enough.signal, late]),
    clock: systemClock,
    onEvent: (event) => {
      if (event.type !== 'dev.laika.checkpoint.verdict.v1') return;
      onVerdict(resultOf(event));
      heard += 1;
      if (heard === count) enough.abort();
    },
    onNotice: () => {},
  });
  if (heard === count) return;
  throw new LaikaError({
    code: 'connection-failed',
    what: `the watcher said ${heard} of ${count} verdicts in ${patienceMs / 1000} s`,
    where: stage.state,
    next: 'laika doctor',
  });
}

function step(result: Result): number | null {
  return result.checkpoint?.step ?? null;
}

/** Prints to `write`; 0 when the flip was confirmed and every healthy checkpoint passed. */
export async function runDemo(write: Write): Promise<number> {
  const stage = makeStage();
  write(`laika demo: a real training run (AdamW, 140 steps) is replayed into\n  ${stage.run}\n\n`);
  const watcher = startWatcher(stage);
  let talk = '';
  watcher.stderr?.on('data', (text) => {
    talk += text;
  });
  try {
    let planted: Planted | null = null;
    const results: Result[] = [];
    for (const name of healthy) publish(stage, name, join(recorded, `${name}.safetensors`));
    await hear(stage, healthy.length + 1, (result) => {
      results.push(result);
      if (results.length <= healthy.length) write(`  step ${step(result)}: ${result.verdict}\n`);
      if (results.length === healthy.length) planted = publishDamaged(stage);
    });
    return conclude(results, planted as Planted | null, write);
  } catch (error) {
    write(talk);
    throw error;
  } finally {
    watcher.kill('SIGTERM');
  }
}

function conclude(results: readonly Result[], planted: Planted | null, write: Write): number {
  const last = results.at(-1) as Result;
  if (planted) {
    const told =
      `One bit was flipped in the next checkpoint: bit ${planted.bit} of element ${planted.element} of ` +
      `${planted.tensor}, ${planted.before} became ${planted.after}. The loss does not show it.`;
    write(`\n${wrapText(told, 80).join('\n')}\nA WebSocket client of the watcher received:\n\n`);
  }
  write(renderText(last));
  const found = last.findings?.some(
    ({ certainty, element }) => certainty === 'confirmed' && element?.index === fault.element,
  );
  const quiet = results.slice(0, -1).every(({ verdict }) => verdict === 'intact');
  if (found && quiet) {
    write(
      '\nConfirmed, and heard over the socket. The command above shows it again\n(npx laika where it is not installed globally).\n',
    );
    return 0;
  }
  write('\nThe demo did not go as it must: please report this.\n');
  return 70;
}
