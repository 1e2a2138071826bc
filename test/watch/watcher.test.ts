import { expect, test } from 'vitest';
import { LaikaError } from '../../src/checkpoint/errors.ts';
import type { Candidate } from '../../src/watch/candidate.ts';
import { bench, candidate, finding, resultOf, run } from './run-folder.ts';

const { signal } = new AbortController();

function broken(code: 'changed-while-reading' | 'path-missing' | 'limit-exceeded') {
  return (): never => {
    throw new LaikaError({ code, what: 'no luck', where: 'here' });
  };
}

test('judges a complete checkpoint only when it stood still for two looks 2 s apart', async () => {
  const b = bench();
  b.candidates = [candidate(1)];
  await b.look();
  expect(b.judged).toEqual([]);
  b.clock.advance(1999);
  await b.look();
  expect(b.judged).toEqual([]);
  b.clock.advance(1);
  await b.look();
  expect(b.judged).toEqual(['step-1 against nothing']);
  expect(b.events()).toEqual(['checkpoint.seen step-1', 'checkpoint.verdict step-1']);
});

test('starts to wait again when a checkpoint changed between two looks', async () => {
  const b = bench();
  b.candidates = [candidate(1, { identity: 'growing' })];
  await b.look();
  b.clock.advance(2000);
  b.candidates = [candidate(1, { identity: 'grown' })];
  await b.look();
  expect(b.judged).toEqual([]);
  b.clock.advance(2000);
  await b.look();
  expect(b.judged).toHaveLength(1);
  expect(b.history.checkpoint(run, 'grown')?.verdict).toBe('intact');
  expect(b.events()).toEqual(['checkpoint.seen step-1', 'checkpoint.verdict step-1']);
});

test('tells an incomplete checkpoint once and does not judge it, across restarts too', async () => {
  const b = bench();
  b.candidates = [candidate(1, { complete: false })];
  await b.settle();
  b.candidates = [candidate(1, { complete: false, identity: 'more bytes' })];
  await b.settle();
  expect(b.events()).toEqual(['checkpoint.seen step-1']);
  expect(JSON.parse(b.stored()[0]?.data ?? '')).toEqual({
    checkpoint: { path: `${run}/step-1`, step: 1 },
    complete: false,
  });
  b.history.close();
  const again = bench({ folder: b.folder });
  again.candidates = b.candidates;
  await again.settle();
  expect(again.events()).toEqual(['checkpoint.seen step-1']);
  expect(again.judged).toEqual([]);
});

test('judges each content once: not again at later looks, nor after a restart', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2)];
  await b.settle();
  await b.settle();
  expect(b.judged).toHaveLength(2);
  b.history.close();
  const again = bench({ folder: b.folder });
  again.candidates = [...b.candidates, candidate(3)];
  await again.settle();
  expect(again.judged).toEqual(['step-3 against step-2']);
});

test('judges again what was overwritten in place, and not against itself', async () => {
  const b = bench();
  const last = (identity: string): Candidate => ({
    ...{ path: `${run}/last.ckpt`, stepHint: null, complete: true, identity },
  });
  b.candidates = [candidate(1), last('first')];
  await b.settle();
  b.candidates = [candidate(1), last('second')];
  await b.settle();
  expect(b.judged).toEqual([
    'step-1 against nothing',
    'last.ckpt against step-1',
    'last.ckpt against step-1',
  ]);
});

test('judges two names of one content once', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2, { path: `${run}/best`, identity: `${run}/step-1#1` })];
  await b.settle();
  expect(b.judged).toEqual(['step-1 against nothing']);
});

test('holds later checkpoints back while an earlier one settles, but not for ever', async () => {
  const b = bench();
  b.candidates = [candidate(2)];
  await b.look();
  b.clock.advance(2000);
  b.candidates = [candidate(1), candidate(2)];
  await b.look();
  expect(b.judged).toEqual([]);
  b.clock.advance(2000);
  await b.look();
  expect(b.judged).toEqual(['step-1 against nothing', 'step-2 against step-1']);

  b.candidates = [candidate(4)];
  await b.look();
  for (let i = 0; i < 31; i += 1) {
    b.clock.advance(2000);
    b.candidates = [candidate(3, { identity: `never the same ${i}` }), candidate(4)];
    await b.look();
  }
  expect(b.judged.at(-1)).toBe('step-4 against nothing');
});

test('an incomplete checkpoint holds nobody back', async () => {
  const b = bench();
  b.candidates = [candidate(1, { complete: false }), candidate(2)];
  await b.settle();
  expect(b.judged).toEqual(['step-2 against nothing']);
});

test('takes a checkpoint that vanished for rotation: no verdict, no alarm', async () => {
  const b = bench();
  b.candidates = [candidate(1)];
  b.verdicts.set(`${run}/step-1`, () => {
    b.candidates = [];
    return broken('path-missing')();
  });
  await b.settle();
  await b.settle();
  expect(b.judged).toHaveLength(1);
  expect(b.events()).toEqual(['checkpoint.seen step-1']);
});

test('throws a bad verdict away when the file was rewritten under the judge', async () => {
  const b = bench();
  b.candidates = [candidate(1)];
  b.verdicts.set(`${run}/step-1`, () => {
    b.candidates = [candidate(1, { identity: 'rewritten' })];
    b.verdicts.delete(`${run}/step-1`);
    return resultOf('corrupt', [finding('file-truncated')]);
  });
  await b.settle();
  expect(b.events()).toEqual(['checkpoint.seen step-1']);
  await b.settle();
  expect(b.events()).toEqual(['checkpoint.seen step-1', 'checkpoint.verdict step-1']);
  expect(b.history.latest(run)?.verdict).toBe('intact');
});

test('tries again with growing waits when a file changed while it was read', async () => {
  const b = bench();
  b.candidates = [candidate(1)];
  b.verdicts.set(`${run}/step-1`, broken('changed-while-reading'));
  await b.settle();
  const tries = [b.judged.length];
  for (let seconds = 0; seconds < 40; seconds += 2) {
    b.clock.advance(2000);
    await b.look();
    tries.push(b.judged.length);
  }
  // After 2, 4, 8 and 16 s; then it is recorded for good.
  expect(tries.slice(0, 17)).toEqual([1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5]);
  expect(tries.at(-1)).toBe(5);
  expect(b.events()).toEqual(['checkpoint.seen step-1', 'checkpoint.verdict step-1']);
  const verdict = JSON.parse(b.stored().at(-1)?.data ?? '');
  expect([verdict.verdict, verdict.error.code]).toEqual(['unverified', 'changed-while-reading']);
});

test('records what could not be judged as unverified, with the reason, and goes on', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2), candidate(3)];
  b.verdicts.set(`${run}/step-1`, broken('limit-exceeded'));
  b.verdicts.set(`${run}/step-2`, () => {
    throw new RangeError('a bug');
  });
  await b.settle();
  await b.settle();
  expect(b.judged).toEqual([
    'step-1 against nothing',
    'step-2 against nothing',
    'step-3 against nothing',
  ]);
  const { error } = JSON.parse(b.history.resultJson(run, `${run}/step-1#1`) ?? '');
  expect(error.code).toBe('limit-exceeded');
  expect(b.events().slice(3)).toEqual([
    'checkpoint.verdict step-1',
    'watcher.degraded nothing',
    'checkpoint.verdict step-2',
    'checkpoint.verdict step-3',
  ]);
  expect(b.history.latest(run)?.verdict).toBe('intact');
});

test('fires for each bad checkpoint, and resolves by a good one with a trusted base', async () => {
  const b = bench();
  b.verdicts.set(`${run}/step-1`, () => resultOf('corrupt', [finding('moment-bound')]));
  b.verdicts.set(`${run}/step-4`, 'suspect').set(`${run}/step-5`, 'unverified');
  for (const step of [1, 2, 3, 4, 5, 6]) {
    b.candidates.push(candidate(step));
    await b.settle();
  }
  const told = b.events().filter((line) => !line.startsWith('checkpoint.seen'));
  expect(told).toEqual([
    'checkpoint.verdict step-1',
    'alert.firing step-1',
    'checkpoint.verdict step-2',
    'checkpoint.verdict step-3',
    'alert.resolved step-3',
    'checkpoint.verdict step-4',
    'alert.firing step-4',
    'checkpoint.verdict step-5',
    'checkpoint.verdict step-6',
    'alert.resolved step-6',
  ]);
  expect(b.history.activeAlerts()).toEqual([]);
  const [firing, again] = b.stored().filter((event) => event.type === 'dev.laika.alert.firing.v1');
  const data = JSON.parse(firing?.data ?? '');
  expect(data.checkpoint).toEqual({ path: `${run}/step-1`, step: 1 });
  expect(data.alert.rules).toEqual(['moment-bound']);
  expect(firing?.severity).toBe('critical');
  expect(data.trusted).toBeUndefined();
  expect(JSON.parse(again?.data ?? '').trusted.step).toBe(3);
});

test('carries findings up to 32 KiB, how many there were, and whom to trust', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2)];
  const many = Array.from({ length: 100 }, (_, i) =>
    finding(`rule-${i}`, { message: 'x'.repeat(1000) }),
  );
  const odd = finding('moment-bound', { left: Number.NaN, right: 1 });
  b.verdicts.set(`${run}/step-2`, () => resultOf('corrupt', [odd, ...many]));
  await b.settle();
  const [told] = b
    .stored()
    .filter((event) => event.subject === `${run}/step-2` && event.type.endsWith('verdict.v1'));
  const data = JSON.parse(told?.data ?? '');
  expect(data.findings[0].left).toBe('NaN');
  expect(data.findings.length).toBeGreaterThan(20);
  expect(data.findings.length).toBeLessThan(33);
  expect([data.findings_count, data.truncated]).toEqual([101, true]);
  expect(data.trusted).toEqual({ checkpoint: `${run}/step-1`, step: 1 });
  expect(Buffer.byteLength(told?.data ?? '')).toBeLessThan(36 * 1024);
  const whole = JSON.parse(b.history.resultJson(run, `${run}/step-2#1`) ?? '');
  expect(whole.findings).toHaveLength(101);
});

test('tells once why a run cannot be listed, and keeps looking', async () => {
  const b = bench();
  b.fail = broken('path-missing');
  await b.look();
  await b.look();
  expect(b.events()).toEqual(['watcher.degraded nothing']);
  expect(b.watcher.health()).toContainEqual({ name: 'watch', ok: false });
  b.fail = null;
  b.candidates = [candidate(1)];
  await b.settle();
  expect(b.judged).toHaveLength(1);
  expect(b.watcher.health().every((check) => check.ok)).toBe(true);
});

test('judges at the next look what could not be recorded at this one', async () => {
  const b = bench();
  b.candidates = [candidate(1)];
  await b.look();
  b.clock.advance(2000);
  const record = b.history.record.bind(b.history);
  b.history.record = () => {
    throw new Error('disk full');
  };
  await b.look();
  expect(b.watcher.health()).toContainEqual({ name: 'store', ok: false });
  expect(b.logged.join()).toContain('disk full');
  b.history.record = record;
  await b.look();
  expect(b.judged).toHaveLength(2);
  expect(b.history.latest(run)?.verdict).toBe('intact');
  expect(b.watcher.health()).toContainEqual({ name: 'store', ok: true });
});

test('abandons a checkpoint when told to stop: the next start judges it', async () => {
  const stop = new AbortController();
  const b = bench();
  b.candidates = [candidate(1), candidate(2)];
  b.verdicts.set(`${run}/step-1`, () => {
    stop.abort();
    throw new Error('aborted');
  });
  await b.look();
  b.clock.advance(2000);
  await b.watcher.look(stop.signal);
  expect(b.judged).toEqual(['step-1 against nothing']);
  expect(b.history.latest(run)).toBeNull();
});

test('once: judges what is complete without waiting, and reports all there is', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2), candidate(3, { complete: false })];
  b.verdicts.set(`${run}/step-2`, 'corrupt');
  const first = await b.watcher.once(signal);
  expect(b.clock.slept).toEqual([]);
  const facts = first.checkpoints.map((row) => [row.step, row.verdict]);
  expect(facts).toEqual([
    [1, 'intact'],
    [2, 'corrupt'],
  ]);
  const second = await b.watcher.once(signal);
  expect(second.checkpoints).toEqual(first.checkpoints);
  expect(b.judged).toHaveLength(2);
});

test('once: waits for a checkpoint that changes, and returns failures to list', async () => {
  const b = bench();
  b.candidates = [candidate(1)];
  let calls = 0;
  b.verdicts.set(`${run}/step-1`, () => {
    calls += 1;
    return calls === 1 ? broken('changed-while-reading')() : resultOf('intact');
  });
  const report = await b.watcher.once(signal);
  expect(report.checkpoints.map((row) => row.verdict)).toEqual(['intact']);
  expect(b.clock.slept).toEqual([2000]);
  b.fail = broken('path-missing');
  const failed = await b.watcher.once(signal);
  expect(failed.failures.map((failure) => failure.code)).toEqual(['path-missing']);
});

test('runs until it is stopped, and looks sooner while something settles', async () => {
  const stop = new AbortController();
  const b = bench();
  const { sleep } = b.clock;
  b.clock.sleep = async (ms) => {
    await sleep(ms);
    if (b.clock.slept.length === 2) b.candidates = [candidate(1)];
    if (b.clock.slept.length === 6) stop.abort();
  };
  await b.watcher.run(stop.signal);
  expect(b.clock.slept).toEqual([5000, 5000, 2010, 5000, 5000, 5000]);
  expect(b.judged).toEqual(['step-1 against nothing']);
  expect(b.stored()[0]?.type).toBe('dev.laika.watcher.started.v1');
});

test('says once that a run has stalled, by its own pace or by a limit', async () => {
  const own = bench();
  const limited = bench({ stalledAfterMs: 60_000 });
  for (const b of [own, limited]) {
    for (const step of [1, 2, 3, 4, 5]) {
      b.candidates.push(candidate(step));
      await b.look();
      b.clock.advance(300_000);
    }
    await b.look();
  }
  const stalls = (b: typeof own) => b.events().filter((line) => line.startsWith('run.stalled'));
  expect(stalls(own)).toEqual([]);
  // Four times the longest gap of 300 s.
  own.clock.advance(900_000);
  await own.look();
  expect(stalls(own)).toEqual([]);
  own.clock.advance(1);
  await own.look();
  await own.look();
  expect(stalls(own)).toHaveLength(1);
  expect(stalls(limited)).toHaveLength(1);
});
