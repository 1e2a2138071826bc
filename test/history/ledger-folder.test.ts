/** Ledgers as files: what is read back is what was written, or nothing. */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LedgerFolder } from '../../src/history/ledger-folder.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../src/records/summary.ts';
import { tempFolder } from './temp-folder.ts';

/** A record with every number that JSON loses. */
function oddRecord(dtype: 'f32' | 'i64'): SummaryRecord {
  const record = emptySummaryRecord(dtype);
  record.max = 2n ** 63n - 1n;
  record.min = -0;
  record.sum = Number.NaN;
  record.sumSquares = Infinity;
  record.laneCount[31] = 7;
  record.digests = Uint32Array.from([1, 0xffffffff, 3, 4]);
  return record;
}

function written(state: string, identity: string): string {
  const writer = new LedgerFolder(state, 'run').write(identity);
  writer.add('a', oddRecord('f32'));
  writer.add('b', oddRecord('i64'));
  writer.keep();
  const [file] = readdirSync(join(state, 'ledgers'));
  return join(state, 'ledgers', file as string);
}

it('gives back every bit', () => {
  const state = tempFolder();
  const path = written(state, 'one');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const ledger = new LedgerFolder(state, 'run').open('one');
  expect(ledger?.recall('a')).toEqual(oddRecord('f32'));
  expect(Object.is(ledger?.recall('a')?.min, -0)).toBe(true);
  expect(ledger?.recall('b')).toEqual(oddRecord('i64'));
  expect(ledger?.recall('c')).toBeNull();
  ledger?.close();
  expect(new LedgerFolder(state, 'run').open('two')).toBeNull();
  expect(new LedgerFolder(state, 'another run').open('one')).toBeNull();
});

it('keeps the two newest of a run, and nothing that was dropped', () => {
  const state = tempFolder();
  for (const identity of ['one', 'two', 'three']) written(state, identity);
  const ledgers = new LedgerFolder(state, 'run');
  const writer = ledgers.write('four');
  writer.add('a', oddRecord('f32'));
  writer.drop();
  // A watcher was killed while it wrote.
  ledgers.write('five').add('a', oddRecord('f32'));
  written(state, 'three');
  expect(['one', 'two', 'three', 'four'].map((each) => ledgers.open(each) !== null)).toEqual([
    ...[false, true, true, false],
  ]);
  expect(readdirSync(join(state, 'ledgers'))).toHaveLength(2);
});

it('is none where the file was cut anywhere', () => {
  const state = tempFolder();
  const path = written(state, 'one');
  for (let size = statSync(path).size - 1; size >= 0; size -= 101) {
    truncateSync(path, size);
    expect(new LedgerFolder(state, 'run').open('one')).toBeNull();
  }
});

it('never gives a record in which a byte was altered', () => {
  const state = tempFolder();
  const path = written(state, 'one');
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at += 37) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    writeFileSync(path, bytes);
    const ledger = new LedgerFolder(state, 'run').open('one');
    const found = ['a', 'b'].map((name) => ledger?.recall(name) ?? null);
    ledger?.close();
    expect(found).not.toEqual([oddRecord('f32'), oddRecord('i64')]);
    for (const [i, record] of found.entries()) {
      if (record) expect(record).toEqual(oddRecord((['f32', 'i64'] as const)[i] as 'f32'));
    }
  }
});

it('does without where nothing can be written', () => {
  const state = tempFolder();
  writeFileSync(join(state, 'ledgers'), 'a file');
  const ledgers = new LedgerFolder(state, 'run');
  const writer = ledgers.write('one');
  writer.add('a', oddRecord('f32'));
  writer.keep();
  expect(ledgers.open('one')).toBeNull();
});
