import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { History } from '../../src/history/history.ts';
import { processStartedAt } from '../../src/history/process-start.ts';
import {
  ensureToken,
  readToken,
  readWatchFile,
  removeWatchFile,
  writeWatchFile,
} from '../../src/history/state-folder.ts';
import { fakeClock } from '../watch/fake-clock.ts';
import { tempFolder } from './temp-folder.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test('makes a folder, database and token that only their owner may read', () => {
  const folder = join(tempFolder(), 'deep', 'state');
  const history = History.open(folder, { clock: fakeClock() });
  ensureToken(folder);
  expect(modeOf(folder)).toBe('700');
  for (const name of ['laika.db', 'laika.db-wal', 'laika.db-shm', 'laika.lock', 'token']) {
    expect([name, modeOf(join(folder, name))]).toEqual([name, '600']);
  }
  history.close();
});

test('makes 32 random bytes as base64url once, and keeps them', () => {
  const folder = tempFolder();
  const token = ensureToken(folder);
  expect(Buffer.from(token, 'base64url').length).toBe(32);
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(ensureToken(folder)).toBe(token);
  expect(ensureToken(tempFolder())).not.toBe(token);
  writeFileSync(join(folder, 'token'), 'short\n');
  expect(() => readToken(folder)).toThrow(/no token/);
});

test('knows the watcher that runs from one that was killed, and from a reused pid', () => {
  const folder = tempFolder();
  const url = 'ws://127.0.0.1:1/v1/stream';
  const now = new Date().toISOString();
  expect(readWatchFile(folder)).toBeNull();
  const mine = { url, pid: process.pid, runs: ['/run'], startedAt: now };
  writeWatchFile(folder, mine);
  expect(modeOf(join(folder, 'watch.json'))).toBe('600');
  expect(readWatchFile(folder)).toEqual(mine);

  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeWatchFile(folder, { ...mine, pid: dead });
  expect(readWatchFile(folder)).toBeNull();

  writeWatchFile(folder, mine);
  removeWatchFile(folder);
  expect(existsSync(join(folder, 'watch.json'))).toBe(false);
  removeWatchFile(folder);
  writeFileSync(join(folder, 'watch.json'), '{"url": 1}');
  expect(readWatchFile(folder)).toBeNull();
});

test.skipIf(processStartedAt(process.pid) === null)(
  'does not take a process for the watcher that began after the watcher did (needs /proc)',
  () => {
    const folder = tempFolder();
    const startedMs = processStartedAt(process.pid) ?? Number.NaN;
    const uptimeMs = process.uptime() * 1000;
    expect(Math.abs(Date.now() - uptimeMs - startedMs)).toBeLessThan(5000);
    const before = new Date(startedMs - 60_000).toISOString();
    writeWatchFile(folder, { url: 'ws://x/', pid: process.pid, runs: [], startedAt: before });
    expect(readWatchFile(folder)).toBeNull();
  },
);

test('says which file of the state folder cannot be written', () => {
  const missing = join(tempFolder(), 'gone');
  const watch = { url: 'ws://127.0.0.1:1/', pid: 1, runs: [], startedAt: '' };
  expect(() => ensureToken(missing)).toThrow(/the token cannot be written/);
  expect(() => writeWatchFile(missing, watch)).toThrow(/cannot be written/);
});
