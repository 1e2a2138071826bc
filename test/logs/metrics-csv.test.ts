import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findLogs } from '../../src/logs/find-logs.ts';
import { readLogs } from '../../src/logs/read-logs.ts';
import { ratesBetween, windowLines } from '../../src/logs/training-log.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const fixture = join(import.meta.dirname, '../fixtures/formats/lightning/logs/metrics.csv');
const folder = temporaryFolder();

function write(path: string, text: string): string {
  const full = join(folder, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, text);
  return full;
}

describe('a CSV log', () => {
  it('by Lightning has its rows at the logger’s steps', async () => {
    const log = await readLogs([fixture]);
    const rows = readFileSync(fixture, 'utf8').trim().split('\n').slice(1);
    expect(log.size).toBe(rows.length);
    for (const row of rows) {
      const [, step, loss] = row.split(',').map(Number);
      expect(log.line(step as number)).toMatchObject({ loss, lr: null, gradNorm: null });
    }
    // The run took nine updates; its last row is numbered 8: rows count from 0.
    expect(log.lastStep).toBe(8);
  });

  it('joins sparse rows about one step, and knows NaN, infinity and quotes', async () => {
    const text =
      '\uFEFFepoch,"lr-AdamW/pg1","lr-AdamW/pg2",lr-AdamW-momentum,step,train_loss,grad_norm\r\n' +
      '0,0.5,0.25,0.9,0,,\r\n0,,,,0,"1.5",inf\r\n0,1,1,,1,nan,-inf\r\n\r\n0,,,,1,7,text\n0,,,,2,3\u002c';
    const log = await readLogs([write('sparse.csv', text)]);
    expect(log.line(0)).toEqual({
      lr: 0.5,
      lrs: [0.5, 0.25],
      gradNorm: Infinity,
      gradNormClipped: null,
      loss: 1.5,
    });
    expect(log.line(1)).toMatchObject({ loss: 7, gradNorm: -Infinity });
    expect(log.size).toBe(2);
  });

  it('goes on behind a header that comes again', async () => {
    const text = 'step,lr\n1,0.5\nstep,lr,loss\n2,0.25,3\n';
    const log = await readLogs([write('again.csv', text)]);
    expect([log.line(1)?.lr, log.line(2)?.lr, log.line(2)?.loss]).toEqual([0.5, 0.25, 3]);
  });

  it('says nothing about rates of two optimizers of one class', async () => {
    const text = 'epoch,step,lr-Adam,lr-Adam-1\n0,0,1,2\n';
    expect((await readLogs([write('two.csv', text)])).line(0)?.lr).toBeNull();
    const other = 'epoch,step,lr-Adam,lr-SGD\n0,0,1,2\n';
    expect((await readLogs([write('other.csv', other)])).line(0)?.lr).toBeNull();
  });

  it('by Lightning’s monitor gives the window’s rates: row n is about update n + 1', async () => {
    // The schedule of the recorded run: halved after five updates.
    const rate = (update: number) => (update <= 5 ? 2e-3 : 1e-3);
    const rows = Array.from({ length: 9 }, (_, i) => `0,${i},${rate(i + 1)}\n`);
    const log = await readLogs([write('rate.csv', `epoch,step,lr-AdamW\n${rows.join('')}`)]);
    const near = { low: expect.closeTo(1e-3, 9), high: expect.closeTo(2e-3, 9) };
    const first = { after: 4, upTo: 5, group: 0, storedBefore: 2e-3, storedRate: 1e-3 };
    expect(ratesBetween(log, first)).toEqual(near);
    const later = { after: 5, upTo: 9, group: 0, storedBefore: 1e-3, storedRate: 1e-3 };
    const found = ratesBetween(log, later);
    expect(found).toMatchObject({ low: near.low });
    const wrong = { ...later, upTo: 8, storedRate: 5e-4 };
    expect(ratesBetween(log, wrong)).toHaveProperty('unknown');
  });

  it('proves no gradient norm, as nothing confirms whose it is', async () => {
    const log = await readLogs([fixture]);
    expect(typeof windowLines(log, { after: 2, upTo: 4 })).toBe('string');
  });

  it('with too long a line is refused', async () => {
    const path = write('long.csv', `step,lr\n1,${'9'.repeat(2 ** 21)}\n`);
    await expect(readLogs([path])).rejects.toThrow('line 2');
    const wide = write('wide.csv', `step${',x'.repeat(20_000)}\n`);
    await expect(readLogs([wide])).rejects.toMatchObject({ code: 'limit-exceeded' });
  });
});

describe('Lightning’s logs', () => {
  it('are found beside its folder of checkpoints', async () => {
    const checkpoint = write('version_0/checkpoints/epoch=0-step=4.ckpt', '');
    write('version_0/metrics.csv', 'epoch,step,lr-SGD\n0,0,1\n');
    const { log, ignored } = await findLogs(checkpoint);
    expect(ignored).toEqual([]);
    expect(log?.line(0)?.lr).toBe(1);
  });

  it('are ignored with a reason when they are bad', async () => {
    const checkpoint = write('bad/epoch=0-step=4.ckpt', '');
    write('bad/metrics.csv', 'epoch,step\n0,0\n0\n');
    const { log, ignored } = await findLogs(checkpoint);
    expect(log).toBeNull();
    expect(ignored.join()).toContain('line 3');
  });
});
