import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { findLogs } from '../../src/logs/find-logs.ts';
import { readLogs } from '../../src/logs/read-logs.ts';
import { ratesBetween } from '../../src/logs/training-log.ts';
import { decodeNumber } from '../../src/records/numbers.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/formats/logs');
const hostile = join(import.meta.dirname, '../fixtures/hostile');
const folder = temporaryFolder();

interface Row {
  readonly step: number;
  readonly loss: number | string;
  readonly grad_norm: number | string;
  readonly lr: number;
}

const rows: Row[] = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')).rows;

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

async function errorOf(action: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await action;
  } catch (error) {
    if (isLaikaError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a log', () => {
  it('of JSON lines has every whole line, NaN and infinity too, and leaves out the cut one', async () => {
    const log = await readLogs([join(fixtures, 'metrics.jsonl')]);
    expect([log.size, log.lastStep, log.lrIsOfStep]).toEqual([11, 11, true]);
    for (const row of rows.slice(0, 11)) {
      expect(log.line(row.step)).toEqual({
        lr: row.lr,
        lrs: null,
        gradNorm: decodeNumber(row.grad_norm),
        gradNormClipped: null,
        loss: decodeNumber(row.loss),
      });
    }
    expect(log.line(12)).toBeNull();
    expect(log.line(0)).toBeNull();
  });

  it('in trainer_state.json has its entries', async () => {
    const log = await readLogs([join(fixtures, 'trainer_state.json')]);
    expect(log.size).toBe(12);
    for (const row of rows) {
      expect(log.line(row.step)).toMatchObject({
        lr: row.lr,
        gradNorm: decodeNumber(row.grad_norm),
        loss: decodeNumber(row.loss),
      });
    }
  });

  it('keeps the last of two lines about one step, and joins a training and an evaluation line', async () => {
    const path = write(
      'twice.jsonl',
      '{"step": 1, "lr": 0.1, "loss": 3}\n\n{"step": 1, "lr": 0.2}\n' +
        '{"config": 1}\n{"global_step": 2, "eval_loss": 9}\n{"step": 2.0, "train_loss": 4}\n',
    );
    const log = await readLogs([path]);
    expect(log.line(1)).toMatchObject({ lr: 0.2, loss: 3 });
    expect(log.line(2)).toMatchObject({ lr: null, loss: 4 });
    expect(log.size).toBe(2);
  });

  it('takes a last line without its end when it is whole', async () => {
    const log = await readLogs([write('open.jsonl', '{"step": 1}\n{"step": 2, "lr": 1e-3}')]);
    expect(log.line(2)?.lr).toBe(1e-3);
  });

  it('takes what a second log says beside the first', async () => {
    const first = write('first.jsonl', '{"step": 1, "lr": 0.1}\n');
    const second = write('second.jsonl', '{"step": 1, "lr": 9, "grad_norm": 2}\n{"step": 2}\n');
    const log = await readLogs([first, second]);
    expect(log.line(1)).toMatchObject({ lr: 0.1, gradNorm: 2 });
    expect([log.sources, log.size]).toEqual([[first, second], 2]);
  });

  it('knows other trainers’ names', async () => {
    const path = write(
      'names.jsonl',
      '{"iteration": 1, "learning-rate": 1, "grad-norm": 2, "lm loss": 3}\n' +
        '{"current_steps": 2, "lr/group0": 4, "lr/group1": 5, "gradient_norm": 6}\n' +
        '{"_step": 3, "lr": 7}\n{"step": -1, "lr": 7}\n{"step": 1.5, "lr": 7}\n',
    );
    const log = await readLogs([path]);
    expect(log.line(1)).toMatchObject({ lr: 1, lrs: null, gradNorm: 2, loss: 3 });
    expect(log.line(2)).toMatchObject({ lr: 4, lrs: [4, 5], gradNorm: 6 });
    expect(log.size).toBe(2);
  });

  it('reads lines across the pieces that it reads a file in', async () => {
    const text = Array.from({ length: 40_000 }, (_, i) => `{"step": ${i}, "lr": ${i / 7}}\n`);
    const log = await readLogs([write('long.jsonl', text.join(''))]);
    expect(log.size).toBe(40_000);
    for (const step of [0, 12_345, 39_999]) expect(log.line(step)?.lr).toBe(step / 7);
  });
});

describe('a log that was named and cannot be read', () => {
  it.each([
    ['text.jsonl', '{"step": 1}\nnothing\n{"step": 2}\n', 'line 2'],
    ['array.jsonl', '[1]\n', 'line 1'],
    ['metrics.csv', 'epoch,step,loss\n0,1,2\n0,2\n0,3,2\n', 'line 3'],
    ['stepless.csv', 'epoch,loss\n0,1\n', 'line 1'],
    ['quote.csv', 'step,"a\n1,2\n', 'line 1'],
    ['empty.csv', '', 'line 1'],
    ['state.json', '{\n"a": 1,\n"log_history": [}', 'line 3'],
    ['none.json', '{"a": 1}', 'log_history'],
    ['entries.json', '{"log_history": [{"step": 1}, 7]}', 'entry 1'],
    ['empty.json', '', 'line 1'],
  ])('is named with the place: %s', async (name, text, place) => {
    const error = await errorOf(readLogs([write(name, text)]));
    expect(error.code).toBe('log-invalid');
    expect(error.message).toContain(place);
  });

  it('is told when it is a folder, or is not there', async () => {
    expect((await errorOf(readLogs([folder]))).code).toBe('log-invalid');
    expect((await errorOf(readLogs([join(folder, 'gone.jsonl')]))).code).toBe('path-missing');
  });

  it('passes a limit when it is nested without end', async () => {
    const deep = join(hostile, 'trainer-state-deep/trainer_state.json');
    expect((await errorOf(readLogs([deep]))).code).toBe('limit-exceeded');
    const line = write('deep.jsonl', `{"step": 1, "x": ${'['.repeat(20_000)}\n`);
    expect((await errorOf(readLogs([line]))).code).toBe('limit-exceeded');
  });
});

describe('learning rates between two steps', () => {
  const lines = (count: number, rest: (step: number) => string) =>
    Array.from({ length: count }, (_, i) => `{"step": ${i + 1}, ${rest(i + 1)}}\n`).join('');

  it('are known where every step has one', async () => {
    const log = await readLogs([join(fixtures, 'metrics.jsonl')]);
    expect(ratesBetween(log, { after: 0, upTo: 3, group: 0 })).toEqual({
      low: 0.00025,
      high: 0.00075,
    });
    expect(ratesBetween(log, { after: 2, upTo: 3, group: 5 })).toEqual({
      low: 0.00075,
      high: 0.00075,
    });
    expect(ratesBetween(log, { after: 8, upTo: 12, group: 0 })).toHaveProperty('unknown');
    expect(ratesBetween(log, { after: 3, upTo: 3, group: 0 })).toHaveProperty('unknown');
    expect(ratesBetween(log, { after: 5, upTo: 3, group: 0 })).toHaveProperty('unknown');
  });

  it('are unknown in a log of every tenth step, and at once for a window without end', async () => {
    const sparse = Array.from({ length: 9 }, (_, i) => `{"step": ${i * 10}, "lr": 1}\n`).join('');
    const log = await readLogs([write('sparse.jsonl', sparse)]);
    expect(ratesBetween(log, { after: 10, upTo: 30, group: 0 })).toHaveProperty('unknown');
    expect(ratesBetween(log, { after: 9, upTo: 10, group: 0 })).toEqual({ low: 1, high: 1 });
    expect(ratesBetween(log, { after: 0, upTo: 2 ** 52, group: 0 })).toHaveProperty('unknown');
  });

  it('are unknown where one of them is not finite or missing', async () => {
    const text = lines(4, (step) => `"lr": ${['1', 'NaN', '2', 'null'][step - 1]}`);
    const log = await readLogs([write('holes.jsonl', text)]);
    expect(ratesBetween(log, { after: 0, upTo: 1, group: 0 })).toEqual({ low: 1, high: 1 });
    expect(ratesBetween(log, { after: 0, upTo: 2, group: 0 })).toHaveProperty('unknown');
    expect(ratesBetween(log, { after: 2, upTo: 3, group: 0 })).toEqual({ low: 2, high: 2 });
    expect(ratesBetween(log, { after: 2, upTo: 4, group: 0 })).toHaveProperty('unknown');
  });

  it('are a group’s own; a group that is not listed has one only where all are equal', async () => {
    const text = lines(2, (step) => `"lr": ${step}, "lrs": [${step}, ${step * 10}]`);
    const log = await readLogs([write('groups.jsonl', text)]);
    expect(ratesBetween(log, { after: 0, upTo: 2, group: 0 })).toEqual({ low: 1, high: 2 });
    expect(ratesBetween(log, { after: 0, upTo: 2, group: 1 })).toEqual({ low: 10, high: 20 });
    expect(ratesBetween(log, { after: 0, upTo: 2, group: 2 })).toHaveProperty('unknown');
    const equal = await readLogs([
      write(
        'equal.jsonl',
        lines(2, () => '"lrs": [3, 3]'),
      ),
    ]);
    expect(ratesBetween(equal, { after: 0, upTo: 2, group: 7 })).toEqual({ low: 3, high: 3 });
  });

  it('take in the line before where a line may hold the next step’s rate', async () => {
    const history = [1, 2, 3, 4].map((step) => ({ step, learning_rate: step / 10 }));
    const old = write('old.json', JSON.stringify({ log_history: history }));
    const young = write(
      'young.json',
      JSON.stringify({ best_global_step: null, log_history: history }),
    );
    const window = { after: 2, upTo: 4, group: 0 };
    expect(ratesBetween(await readLogs([old]), window)).toEqual({ low: 0.2, high: 0.4 });
    const log = await readLogs([young]);
    expect(ratesBetween(log, window)).toEqual({ low: 0.3, high: 0.4 });
    // The checkpoint at step 4 stores the rate of step 5: a log that has it at 4 is one step off.
    expect(ratesBetween(log, { ...window, storedRate: 0.5 })).toEqual({ low: 0.3, high: 0.4 });
    expect(ratesBetween(log, { ...window, storedRate: 0.4 })).toEqual({ low: 0.2, high: 0.4 });
    expect(ratesBetween(await readLogs([old]), { ...window, after: 0 })).toHaveProperty('unknown');
  });
});

describe('logs beside a checkpoint', () => {
  it('are found in the same folder, under one name or as the only file with rates', async () => {
    const named = write('a/checkpoint-5.pt', '');
    cpSync(join(fixtures, 'metrics.jsonl'), join(folder, 'a/metrics.jsonl'));
    write('a/other.jsonl', 'nonsense\n');
    expect(await findLogs(named)).toMatchObject({
      log: { size: 11, sources: [join(folder, 'a/metrics.jsonl')] },
      ignored: [],
    });
    const unnamed = write('b/checkpoint-5.pt', '');
    write('b/train.jsonl', '{"step": 1, "lr": 0.5}\n');
    write('b/samples.jsonl', '{"text": "hello"}\n');
    expect((await findLogs(unnamed)).log?.line(1)?.lr).toBe(0.5);
    write('b/train2.jsonl', '{"step": 1, "lr": 0.25}\n');
    const { log, ignored } = await findLogs(unnamed);
    expect(log).toBeNull();
    expect(ignored[0]).toContain('train2.jsonl');
  });

  it('are found inside a checkpoint’s folder first, then beside it', async () => {
    cpSync(
      join(fixtures, 'trainer_state.json'),
      join(folder, 'c/checkpoint-12/trainer_state.json'),
    );
    write('c/metrics.jsonl', '{"step": 12, "lr": 7, "grad_norm_clipped": 1}\n{"step": 13}\n');
    const { log } = await findLogs(join(folder, 'c/checkpoint-12'));
    expect(log?.line(12)).toMatchObject({ lr: 0.001, gradNormClipped: 1 });
    expect(log?.lastStep).toBe(13);
    expect(log?.sources).toHaveLength(2);
  });

  it('are left out with a reason when they are bad', async () => {
    const checkpoint = write('d/checkpoint-5.pt', '');
    write('d/metrics.jsonl', '{"step": 1}\nbroken\n');
    const { log, ignored } = await findLogs(checkpoint);
    expect(log).toBeNull();
    expect(ignored).toHaveLength(1);
    expect(ignored[0]).toContain('line 2');
    const deep = await findLogs(join(hostile, 'trainer-state-deep'));
    expect(deep.log).toBeNull();
    expect(deep.ignored.join()).toContain('trainer_state.json');
  });

  it('need not be there', async () => {
    expect(await findLogs(write('e/checkpoint-5.pt', ''))).toEqual({ log: null, ignored: [] });
    expect((await errorOf(findLogs(join(folder, 'nowhere')))).code).toBe('path-missing');
  });
});
