import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { findLogs } from '../../src/logs/find-logs.ts';
import { readLogs } from '../../src/logs/read-logs.ts';
import { ratesBetween } from '../../src/logs/training-log.ts';
import { crc32c, maskedCrc32c } from '../../src/records/crc32c.ts';
import { decodeNumber } from '../../src/records/numbers.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { event, field, framed } from './event-writer.ts';

const fixtures = join(import.meta.dirname, '../fixtures');
const events = join(fixtures, 'formats/tensorboard-events');
const lightning = join(fixtures, 'formats/lightning/logs');
const folder = temporaryFolder();
const name = (k: number) => `events.out.tfevents.179000000${k}.trainer.100.${k}`;

interface Written {
  readonly file: number;
  readonly tag: string;
  readonly step: number;
  readonly value: number | string;
}

const written: Written[] = JSON.parse(readFileSync(join(events, 'expected.json'), 'utf8')).scalars;

async function errorOf(action: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await action.then(
    () => null,
    (each: unknown) => each,
  );
  if (!isLaikaError(error)) throw error ?? new Error('nothing was thrown');
  return error;
}

function write(path: string, bytes: Uint8Array): string {
  const full = join(folder, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, bytes);
  return full;
}

const fields = { 'train/loss': 'loss', 'train/grad_norm': 'gradNorm', 'train/lr': 'lr' } as const;

describe('CRC-32C', () => {
  it('is the one of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  it('is masked as torch’s writer stored it', () => {
    const file = readFileSync(join(events, name(0)));
    expect(maskedCrc32c(file.subarray(0, 8))).toBe(file.readUInt32LE(8));
  });
});

describe('a TensorBoard event file', () => {
  it.each([0, 1])('by torch has the scalars that were written, NaN too: file %i', async (k) => {
    const log = await readLogs([join(events, name(k))]);
    const own = written.filter(({ file }) => file === k);
    expect(log.size).toBe(new Set(own.map(({ step }) => step)).size);
    for (const { tag, step, value } of own) {
      const key = fields[tag as keyof typeof fields];
      expect(log.line(step)?.[key]).toBe(decodeNumber(value));
    }
  });

  it('of a resumed run replaces the steps that are repeated', async () => {
    const log = await readLogs([events]);
    expect([log.size, log.lastStep]).toEqual([12, 12]);
    for (const { file, tag, step, value } of written) {
      if (file === 0 && step >= 9) continue;
      const key = fields[tag as keyof typeof fields];
      expect(log.line(step)?.[key]).toBe(decodeNumber(value));
    }
  });

  it('by Lightning has the losses of its CSV, which counts alike', async () => {
    const file = 'events.out.tfevents.1795262556.trainer.26412.0';
    const log = await readLogs([join(lightning, file)]);
    const csv = await readLogs([join(lightning, 'metrics.csv')]);
    expect([log.size, csv.size]).toEqual([9, 9]);
    for (let step = 0; step < 9; step++) {
      expect(log.line(step)?.loss).toBe(csv.line(step)?.loss);
      expect(log.line(step)?.loss).toBeGreaterThan(1);
    }
    expect(log.updateOffsets).toEqual([1, 2]);
    expect(csv.updateOffsets).toEqual([1, 2]);
  });

  it('ends where its writer has got to', async () => {
    const bytes = readFileSync(join(events, name(0)));
    const sizes = new Set<number>();
    for (let end = 0; end <= bytes.length; end += 97) {
      sizes.add((await readLogs([write('cut/tfevents.1', bytes.subarray(0, end))])).size);
    }
    expect([...sizes].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('may hold its scalars as tensors, and steps in any order', async () => {
    const at = { tag: 'train/lr', wallTime: 1 };
    const other = { tag: 'train/loss', step: 1, wallTime: 1, value: 8 };
    const bytes = framed(
      event({ ...at, step: 2, value: 0.25 }, 'content'),
      event({ ...at, step: 1, value: 0.5 }, 'floats'),
      event({ ...at, step: 1, value: 7, wallTime: 0.5 }),
      event({ ...at, step: -3, value: 7 }),
      event({ ...at, step: 5, value: 7, tag: 'images' }),
      event(other),
    );
    const log = await readLogs([write('tensors/tfevents.1', bytes)]);
    expect([log.size, log.line(1)?.lr, log.line(2)?.lr]).toEqual([2, 0.5, 0.25]);
    expect(log.line(1)?.loss).toBe(8);
  });

  it('leaves out later steps of a run that was resumed before them', async () => {
    const line = (step: number, wallTime: number, value: number) =>
      event({ tag: 'train/lr', step, wallTime, value });
    write('fork/tfevents.1', framed(line(1, 1, 1), line(2, 2, 2), line(3, 3, 3), line(4, 4, 4)));
    write('fork/tfevents.2', framed(line(2, 9, 5), line(3, 10, 6)));
    const log = await readLogs([join(folder, 'fork')]);
    expect([1, 2, 3, 4].map((step) => log.line(step)?.lr)).toEqual([1, 5, 6, undefined]);
  });

  it.each([
    ['.crc', 'log-invalid', 'byte 0'],
    ['.huge', 'limit-exceeded', 'byte 0'],
  ])('is refused with its place when it is hostile: %s', async (end, code, place) => {
    const path = join(fixtures, `hostile/events.out.tfevents.1${end}`);
    const error = await errorOf(readLogs([path]));
    expect(error.code).toBe(code);
    expect(error.message).toContain(place);
  });

  it('is refused for any byte that changed, unless the last record became a cut one', async () => {
    const whole = readFileSync(join(events, name(1)));
    for (let at = 0; at < whole.length; at += 41) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ 0x10;
      const error = await errorOf(readLogs([write('flip/tfevents.1', bytes)]));
      expect(error.code).toBe('log-invalid');
    }
  });

  it.each([
    ['a length past its end', Buffer.from([0x2a, 0x7f, 0])],
    ['a number without end', Buffer.alloc(11, 0xff)],
    ['a group', Buffer.from([0x0b])],
    ['field 0', Buffer.from([0x00, 0x00])],
    ['a broken value', field(5, field(1, Buffer.from([0x0a, 0x20])))],
  ])('is refused when its message is malformed by %s', async (_, record) => {
    const error = await errorOf(readLogs([write('bad/tfevents.1', framed(record))]));
    expect(error.code).toBe('log-invalid');
    expect(error.message).toContain('byte 0');
  });
});

describe('TensorBoard events beside a checkpoint', () => {
  it('are found as one log of all files', async () => {
    const checkpoint = write('found/step-12.pt', Buffer.alloc(0));
    for (const k of [0, 1]) copyFileSync(join(events, name(k)), join(folder, 'found', name(k)));
    const { log, ignored } = await findLogs(checkpoint);
    expect([log?.size, ignored]).toEqual([12, []]);
    expect(log?.sources).toEqual([join(folder, 'found')]);
  });

  it('are ignored with a reason when they are bad', async () => {
    const checkpoint = write('poor/step-12.pt', Buffer.alloc(0));
    copyFileSync(
      join(fixtures, 'hostile/events.out.tfevents.1.crc'),
      join(folder, 'poor/tfevents.1'),
    );
    const { log, ignored } = await findLogs(checkpoint);
    expect(log).toBeNull();
    expect(ignored.join()).toContain('tfevents.1');
  });

  it('are left alone where a log with rates lies there too', async () => {
    const checkpoint = write('both/step-12.pt', Buffer.alloc(0));
    copyFileSync(join(events, name(0)), join(folder, 'both', name(0)));
    write('both/metrics.jsonl', Buffer.from('{"step": 1, "lr": 0.5}\n'));
    expect((await findLogs(checkpoint)).log).toMatchObject({ size: 1, lrIsOfStep: true });
  });
});

describe('rates of a log that a logger numbered', () => {
  /** Line `step + shift` has the rate of update `step`, as float32. */
  const logOf = async (shift: number, rate: (step: number) => number, count = 20) => {
    const lines = Array.from({ length: count }, (_, i) => i + 1)
      .filter((step) => step + shift >= 0)
      .map((step) =>
        event({ tag: 'train/lr', step: step + shift, wallTime: step, value: rate(step) }),
      );
    return readLogs([write(`rates${shift}/tfevents.1`, framed(...lines))]);
  };
  const warm = (step: number) => step * 1e-3;

  it.each([0, -1, -2])('span the window’s own, whichever line has them: %i', async (shift) => {
    const log = await logOf(shift, warm);
    for (const behind of [0, 1]) {
      const window = { after: 8, upTo: 12, group: 0 };
      const storedBefore = warm(8 + behind);
      const storedRate = warm(12 + behind);
      const found = ratesBetween(log, { ...window, storedBefore, storedRate });
      if ('unknown' in found) throw new Error(found.unknown);
      expect(found.low).toBeLessThanOrEqual(warm(9));
      expect(found.high).toBeGreaterThanOrEqual(warm(12));
      // Loose by two neighbours at most, and by rounding.
      expect(found.low).toBeGreaterThan(warm(6.9));
      expect(found.high).toBeLessThan(warm(14.1));
    }
  });

  it('are unknown where the checkpoints have other rates: it counts other steps', async () => {
    const log = await logOf(0, warm);
    const window = { after: 8, upTo: 12, group: 0, storedBefore: warm(2), storedRate: warm(3) };
    expect(ratesBetween(log, window)).toHaveProperty('unknown');
    expect(ratesBetween(log, { ...window, storedBefore: warm(8) })).toHaveProperty('unknown');
    expect(ratesBetween(log, { after: 8, upTo: 12, group: 0 })).toHaveProperty('unknown');
  });

  it('are no single number, as float32 holds few of them', async () => {
    const log = await logOf(0, () => 1e-3);
    const window = { after: 8, upTo: 9, group: 0, storedBefore: 1e-3, storedRate: 1e-3 };
    const found = ratesBetween(log, window);
    if ('unknown' in found) throw new Error(found.unknown);
    expect(found.low).toBeLessThan(1e-3);
    expect(found.high).toBeGreaterThan(1e-3);
    expect(found.high - found.low).toBeLessThan(1e-9);
  });

  it('are unknown at a step without a line', async () => {
    const log = await logOf(0, warm, 11);
    const window = { after: 8, upTo: 12, group: 0, storedBefore: warm(9), storedRate: warm(13) };
    expect(ratesBetween(log, window)).toHaveProperty('unknown');
  });
});
