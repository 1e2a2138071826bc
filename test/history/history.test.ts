import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LaikaError } from '../../src/checkpoint/errors.ts';
import type { NewCheckpoint } from '../../src/history/checkpoint-log.ts';
import { openDriver } from '../../src/history/driver.ts';
import type { NewEvent } from '../../src/history/event.ts';
import { History } from '../../src/history/history.ts';
import { writeWatchFile } from '../../src/history/state-folder.ts';
import type { Verdict } from '../../src/verdict/result.ts';
import { fakeClock } from '../watch/fake-clock.ts';
import { tempFolder } from './temp-folder.ts';

const clock = fakeClock();

function event(data: unknown = {}, run: string | null = '/run'): NewEvent {
  const type = 'dev.laika.checkpoint.seen.v1';
  return { type, run, subject: null, severity: 'info', data };
}

function judged(step: number, verdict: Verdict, more: Partial<NewCheckpoint> = {}): NewCheckpoint {
  return {
    run: '/run',
    path: `/run/step-${step}`,
    identity: `id-${step}`,
    step,
    position: step,
    verdict,
    trusted: verdict === 'intact' || verdict === 'unremarkable',
    seenAt: '2026-11-21T12:00:00.000Z',
    result: { schema: 'laika.result/1', laika: { version: '1', rules: 'x' }, verdict },
    ...more,
  };
}

function codeOf(work: () => unknown): LaikaError {
  try {
    work();
  } catch (error) {
    if (error instanceof LaikaError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('numbers events 1, 2, 3, … across reopening, under one epoch', () => {
  const folder = tempFolder();
  let history = History.open(folder, { clock });
  const { epoch } = history;
  expect([history.oldestSeq, history.headSeq]).toEqual([1, 0]);
  expect(history.record({ events: [event(), event()] }).map((one) => one.seq)).toEqual([1, 2]);
  history.close();
  history = History.open(folder, { clock });
  expect(history.record({ events: [event()] })[0]?.seq).toBe(3);
  expect(history.epoch).toBe(epoch);
  expect(history.epoch).toMatch(/^[0-9a-f]{16}$/);
  history.close();
  const other = History.open(tempFolder(), { clock });
  expect(other.epoch).not.toBe(epoch);
  other.close();
});

test('stores a checkpoint and its events together or not at all', () => {
  const history = History.open(tempFolder(), { clock });
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const bad = { checkpoint: judged(1, 'intact'), events: [event(), event(circular)] };
  expect(() => history.record(bad)).toThrow();
  expect(history.headSeq).toBe(0);
  expect(history.checkpoint('/run', 'id-1')).toBeNull();
  expect(history.record({ events: [event()] })[0]?.seq).toBe(1);
  history.close();
});

test('tells listeners only after the commit', () => {
  const folder = tempFolder();
  const history = History.open(folder, { clock });
  const reader = History.open(folder, { clock, readOnly: true });
  const heads: number[] = [];
  const forget = history.onRecorded(() => heads.push(reader.headSeq));
  history.record({ events: [event()] });
  forget();
  history.record({ events: [event()] });
  expect(heads).toEqual([1]);
  reader.close();
  history.close();
});

test('keeps NaN, infinities, minus zero and 2^53 + 1 of events and results', () => {
  const history = History.open(tempFolder(), { clock });
  const values = { a: Number.NaN, b: -Infinity, c: -0, d: 9_007_199_254_740_993n };
  const result = { ...judged(1, 'corrupt').result, findings: [values] } as never;
  const checkpoint = judged(1, 'corrupt', { result });
  history.record({ checkpoint, events: [event(values)] });
  const kept = '{"a":"NaN","b":"-Infinity","c":"-0","d":"9007199254740993"}';
  expect(history.eventsAfter(0, 10).events[0]?.data).toBe(kept);
  expect(history.resultJson('/run', 'id-1')).toContain(`"findings":[${kept}]`);
  history.close();
});

test('pages through events, and says where to go on when the filter left none', () => {
  const history = History.open(tempFolder(), { clock });
  history.record({ events: [event(1, '/a'), event(2, '/b'), event(3, '/b'), event(4, null)] });
  const seqs = (after: number, limit: number, runs?: string[]) => {
    const page = history.eventsAfter(after, limit, runs ? { runs } : {});
    return [page.events.map((one) => one.seq), page.next];
  };
  expect(seqs(0, 2)).toEqual([[1, 2], 2]);
  expect(seqs(2, 10)).toEqual([[3, 4], 4]);
  expect(seqs(1, 2, ['/a'])).toEqual([[], 3]);
  expect(seqs(0, 10, ['/a'])).toEqual([[1, 4], 4]);
  expect(seqs(4, 10)).toEqual([[], 4]);
  history.close();
});

test('forgets old events without a hole above the oldest, and never reuses a number', () => {
  const folder = tempFolder();
  let history = History.open(folder, { clock });
  for (let i = 0; i < 10; i += 1) history.record({ events: [event(i)] });
  history.prune({ events: 3, results: 1 });
  expect([history.oldestSeq, history.headSeq]).toEqual([8, 10]);
  expect(history.eventsAfter(0, 100).events.map((one) => one.seq)).toEqual([8, 9, 10]);
  history.prune({ events: 0, results: 0 });
  history.close();
  history = History.open(folder, { clock });
  expect(history.record({ events: [event()] })[0]?.seq).toBe(11);
  history.close();
});

test('forgets old result documents but never that a checkpoint was judged', () => {
  const history = History.open(tempFolder(), { clock });
  for (const step of [1, 2, 3]) history.record({ checkpoint: judged(step, 'intact'), events: [] });
  history.prune({ events: 10, results: 2 });
  expect([1, 2, 3].map((step) => history.resultJson('/run', `id-${step}`) !== null)).toEqual([
    false,
    true,
    true,
  ]);
  expect(history.isJudged('/run', 'id-1')).toBe(true);
  expect(history.lastTrusted('/run', 2)?.identity).toBe('id-1');
  history.close();
});

test('takes as base the nearest trusted checkpoint below, never a bad or revoked one', () => {
  const history = History.open(tempFolder(), { clock });
  const verdicts: Verdict[] = ['intact', 'unremarkable', 'suspect', 'corrupt', 'unverified'];
  verdicts.forEach((verdict, i) => {
    history.record({ checkpoint: judged((i + 1) * 100, verdict), events: [] });
  });
  expect(history.lastTrusted('/run', 900)?.step).toBe(200);
  expect(history.lastTrusted('/run', 200)?.step).toBe(100);
  expect(history.lastTrusted('/run', 100)).toBeNull();
  expect(history.lastTrusted('/other', 900)).toBeNull();
  history.revoke('/run', 'id-200', 'its successor cannot come from it');
  expect(history.lastTrusted('/run')?.step).toBe(100);
  const row = history.checkpoint('/run', 'id-200');
  expect([row?.verdict, row?.trusted, row?.revoked]).toEqual([
    'unremarkable',
    false,
    'its successor cannot come from it',
  ]);
  history.close();
});

test('takes the last judged as base where steps are unknown', () => {
  const history = History.open(tempFolder(), { clock });
  for (const name of ['b', 'a']) {
    const unknown = { identity: name, step: null, position: null };
    history.record({ checkpoint: judged(0, 'intact', unknown), events: [] });
  }
  expect(history.lastTrusted('/run')?.identity).toBe('a');
  expect(history.latest('/run')?.identity).toBe('a');
  history.close();
});

test('refuses a second writer and names the first one, by pid and address', () => {
  const folder = tempFolder();
  const history = History.open(folder, { clock });
  const early = codeOf(() => History.open(folder, { clock }));
  expect([early.code, early.details.where]).toEqual(['state-locked', folder]);
  expect(early.details.why).toContain(String(process.pid));
  const url = 'ws://127.0.0.1:7474/v1/stream';
  const startedAt = new Date().toISOString();
  writeWatchFile(folder, { url, pid: process.pid, runs: [], startedAt });
  const later = codeOf(() => History.open(folder, { clock }));
  expect(later.details.why).toContain(url);
  expect(later.details.why).toContain(String(process.pid));
  history.close();
  History.open(folder, { clock }).close();
});

test('frees the folder when its writer is killed', () => {
  const folder = tempFolder();
  History.open(folder, { clock }).close();
  const script = `
    const Database = require('libsql');
    const lock = new Database(process.argv[1]);
    lock.exec('BEGIN EXCLUSIVE');
    process.kill(process.pid, 'SIGKILL');`;
  const path = join(folder, 'laika.lock');
  const killed = spawnSync(process.execPath, ['-e', script, path]);
  expect(killed.signal).toBe('SIGKILL');
  History.open(folder, { clock }).close();
});

test('refuses a database of a newer Laika, a damaged one, and a folder without one', () => {
  const newer = tempFolder();
  History.open(newer, { clock }).close();
  const driver = openDriver(join(newer, 'laika.db'), { readOnly: false });
  driver.exec('PRAGMA user_version = 1000');
  driver.close();
  expect(codeOf(() => History.open(newer, { clock })).code).toBe('state-invalid');
  expect(codeOf(() => History.open(newer, { clock, readOnly: true })).code).toBe('state-invalid');

  const damaged = tempFolder();
  writeFileSync(join(damaged, 'laika.db'), 'this is no database. '.repeat(1000));
  expect(codeOf(() => History.open(damaged, { clock })).code).toBe('state-invalid');
  expect(codeOf(() => History.open(damaged, { clock, readOnly: true })).code).toBe('state-invalid');

  const empty = tempFolder();
  expect(codeOf(() => History.open(empty, { clock, readOnly: true })).code).toBe('path-missing');
});

test('can be read beside a writer and after it, but not written by a reader', () => {
  const folder = tempFolder();
  const history = History.open(folder, { clock });
  const reader = History.open(folder, { clock, readOnly: true });
  history.record({ events: [event()] });
  expect(reader.headSeq).toBe(1);
  expect(() => reader.record({ events: [event()] })).toThrow();
  history.close();
  expect(reader.headSeq).toBe(1);
  reader.close();
  const later = History.open(folder, { clock, readOnly: true });
  expect(later.headSeq).toBe(1);
  later.close();
});

test('says that the history cannot be written, and still closes', () => {
  const folder = tempFolder();
  const history = History.open(folder, { clock });
  const other = openDriver(join(folder, 'laika.db'), { readOnly: false });
  other.exec('DROP TABLE events');
  other.close();
  const { code, details } = codeOf(() => history.record({ events: [event()] }));
  expect(code).toBe('state-invalid');
  expect(details).toMatchObject({ what: 'the history cannot be written', where: folder });
  expect(codeOf(() => history.prune({ events: 1, results: 1 })).code).toBe('state-invalid');
  history.close();
});

test('says that the history cannot be used where its lock cannot be opened', () => {
  const folder = tempFolder();
  mkdirSync(join(folder, 'laika.lock'));
  const { code, details } = codeOf(() => History.open(folder, { clock }));
  expect(code).toBe('state-invalid');
  expect(details.why).toMatch(/^the database cannot be opened \(SQLite code \d+\)$/);
});
