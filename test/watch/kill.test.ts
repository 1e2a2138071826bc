import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDriver } from '../../src/history/driver.ts';
import { History } from '../../src/history/history.ts';
import { databasePath, readToken, readWatchFile } from '../../src/history/state-folder.ts';
import { packageRoot } from '../../src/package.ts';
import { followStream, type ReceivedEvent } from '../../src/server/follow.ts';
import { systemClock } from '../../src/watch/system-clock.ts';
import { tempFolder } from '../history/temp-folder.ts';

const kills = 20;
const checkpoints = 1400;

// Below the package, so that the bundle finds its dependencies as an installed Laika does.
const cache = join(packageRoot, 'node_modules', '.cache');
let folder = '';
let script = '';

beforeAll(async () => {
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'laika-kill-'));
  script = join(folder, 'watch.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'watch-process.ts')],
    ...{ outfile: script, bundle: true, platform: 'node', format: 'esm', target: 'node20' },
    ...{ packages: 'external', logLevel: 'warning' },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null; stderr: string }>;
}

function start(run: string, state: string): Started {
  const child = spawn(process.execPath, [script, run, state], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += String(data);
  });
  const ended = new Promise<Awaited<Started['ended']>>((done) => {
    child.on('close', (code, signal) => done({ code, signal, stderr }));
  });
  return { child, ended };
}

function makeRun(count: number): string {
  const run = tempFolder();
  for (let step = 1; step <= count; step += 1) writeFileSync(join(run, `${step}`), '');
  return run;
}

async function until(condition: () => boolean, started: Started): Promise<void> {
  let hasEnded = false;
  void started.ended.then(() => {
    hasEnded = true;
  });
  while (!condition()) {
    if (hasEnded) throw new Error(`the watcher ended: ${(await started.ended).stderr}`);
    await wait(2);
  }
}

test('killed 20 times in the middle of its work, it loses no event and repeats none', async () => {
  const run = makeRun(checkpoints);
  const state = tempFolder();
  const received: ReceivedEvent[] = [];
  const stop = new AbortController();
  let watcher = start(run, state);
  await until(() => readWatchFile(state) !== null, watcher);
  const following = followStream({
    ...{ since: 'all', once: false, signal: stop.signal, clock: systemClock },
    backoff: { baseMs: 10, capMs: 50 },
    address: () => {
      const watch = readWatchFile(state);
      return watch && { url: watch.url, token: readToken(state) };
    },
    onEvent: (event) => received.push(event),
    onNotice: () => undefined,
  });
  const verdicts = () => received.filter((event) => event.type.endsWith('.verdict.v1'));
  for (let kill = 0; kill < kills; kill += 1) {
    const before = verdicts().length;
    await until(() => verdicts().length >= before + 20, watcher);
    await wait((kill * 7) % 20);
    watcher.child.kill('SIGKILL');
    expect((await watcher.ended).signal).toBe('SIGKILL');
    expect(readWatchFile(state)).toBeNull();
    expect(verdicts().length).toBeLessThan(checkpoints);
    watcher = start(run, state);
  }
  await until(() => verdicts().length >= checkpoints, watcher);
  watcher.child.kill('SIGTERM');
  expect((await watcher.ended).code).toBe(0);
  stop.abort();
  await following;

  const history = History.open(state, { clock: systemClock, readOnly: true });
  const { headSeq } = history;
  history.close();
  expect(received.map((event) => Number(event.seq))).toEqual(
    Array.from({ length: headSeq }, (_, i) => i + 1),
  );
  // Each start is told, each checkpoint is seen once and judged once.
  expect(headSeq).toBe(kills + 1 + 2 * checkpoints);
  const judged = verdicts().map((event) => String(event.subject));
  expect(new Set(judged).size).toBe(checkpoints);
  const driver = openDriver(databasePath(state), { readOnly: true });
  expect(driver.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  driver.close();
}, 120_000);

test('a second watcher ends with code 2 and names the pid and address of the first', async () => {
  const run = makeRun(3);
  const state = tempFolder();
  const first = start(run, state);
  await until(() => readWatchFile(state) !== null, first);
  const watch = readWatchFile(state);
  expect(watch?.pid).toBe(first.child.pid);
  expect(watch?.runs).toEqual([run]);
  const second = await start(run, state).ended;
  expect(second.code).toBe(2);
  expect(second.stderr).toContain('state-locked');
  expect(second.stderr).toContain(`${first.child.pid}`);
  expect(second.stderr).toContain(watch?.url);
  expect(readWatchFile(state)).toEqual(watch);
  first.child.kill('SIGINT');
  expect((await first.ended).code).toBe(0);
  expect(readWatchFile(state)).toBeNull();
});
