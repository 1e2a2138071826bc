import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDriver, type SqlValue } from '../../src/history/driver.ts';
import { tempFolder } from './temp-folder.ts';

function open() {
  const driver = openDriver(join(tempFolder(), 'a.db'), { readOnly: false });
  driver.exec('CREATE TABLE t (a INTEGER, b TEXT)');
  return driver;
}

test('keeps integers past 2^53 exactly, and gives small ones back as numbers', () => {
  const driver = open();
  driver.run('INSERT INTO t VALUES (?, ?)', 9_007_199_254_740_993n, 'big');
  driver.run('INSERT INTO t VALUES (?, ?)', 42, 'small');
  expect(driver.all('SELECT a FROM t ORDER BY a')).toEqual([
    { a: 42 },
    { a: 9_007_199_254_740_993n },
  ]);
  driver.close();
});

test('refuses what would abort the process or be stored as something else', () => {
  const driver = open();
  const insert = (value: unknown) => () =>
    driver.run('INSERT INTO t VALUES (1, ?)', value as SqlValue);
  expect(insert(true)).toThrow(TypeError);
  expect(insert('a\0b')).toThrow(TypeError);
  expect(insert(Number.NaN)).toThrow(TypeError);
  expect(insert(undefined)).toThrow(TypeError);
  expect(driver.all('SELECT count(*) AS n FROM t')).toEqual([{ n: 0 }]);
  driver.close();
});

test('stores nothing of a transaction that throws', () => {
  const driver = open();
  const work = () =>
    driver.transaction(() => {
      driver.run('INSERT INTO t VALUES (1, ?)', 'lost');
      throw new Error('on purpose');
    });
  expect(work).toThrow('on purpose');
  expect(driver.all('SELECT * FROM t')).toEqual([]);
  driver.run('INSERT INTO t VALUES (2, ?)', 'kept');
  expect(driver.all('SELECT a FROM t')).toEqual([{ a: 2 }]);
  driver.close();
});

test('reads but does not write a database opened for reading, whatever its path is made of', () => {
  const path = join(tempFolder(), 'a b?#%é.db');
  const writer = openDriver(path, { readOnly: false });
  writer.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (7)');
  const reader = openDriver(path, { readOnly: true });
  expect(reader.all('SELECT a FROM t')).toEqual([{ a: 7 }]);
  expect(() => reader.run('INSERT INTO t VALUES (8)')).toThrow(/readonly/);
  reader.close();
  writer.close();
  expect(() => writer.all('SELECT 1')).toThrow(/closed/);
});
