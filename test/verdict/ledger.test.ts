/** A base that was judged before: what is known of it is not read again, and nothing else changes. */
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { LedgerFolder } from '../../src/history/ledger-folder.ts';
import { chunkElements } from '../../src/records/grid.ts';
import { type Ledgers, MemoryLedgers } from '../../src/records/ledger.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { healthy, writeSnapshot } from './snapshot-file.ts';

const folder = temporaryFolder();

let runs = 0;

/** A frozen tensor, and one whose second page was never trained. */
const frozenElements = 400_000;
const trainedElements = chunkElements;
const tableElements = chunkElements + 30_000;

function save(step: number): string {
  const table = healthy('table', step, 0, trainedElements);
  const padded = Object.entries(table).map(([name, values]) => {
    if (name.startsWith('step/')) return [name, values];
    const fill = name.startsWith('parameter/') ? 0.25 : 0;
    return [name, [...values, ...Array(tableElements - trainedElements).fill(fill)]];
  });
  const body = Array.from({ length: frozenElements }, (_, i) => Math.sin(i));
  const tensors = { 'parameter/body': body, ...Object.fromEntries(padded) };
  const path = writeSnapshot(join(folder, `step-${step}.safetensors`), { step, tensors });
  // Whole seconds can be put back after a change.
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  return path;
}

/**
 * Inverts a bit of an element as storage that rots does: size and times of the file stay. Mended after
 * the test.
 */
function rot(path: string, name: string, bit: number): void {
  const bytes = readFileSync(path);
  const size = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + size).toString());
  const at = 8 + size + header[name].data_offsets[0] + 4 * 1000 + (bit >>> 3);
  const flip = () => {
    bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
    writeFileSync(path, bytes);
    utimesSync(path, 1_700_000_000, 1_700_000_000);
  };
  flip();
  onTestFinished(flip);
}

let engine: Engine;
let steps: readonly string[];

beforeAll(async () => {
  engine = await openEngine('wasm', { threads: 2 });
  steps = [10, 30, 50].map(save);
});

afterAll(() => engine.close());

function judged(head: number, base: number | null, ledgers?: Ledgers): Promise<Result> {
  const [path, before] = [steps[head] as string, base === null ? null : (steps[base] as string)];
  const request = { head: path, base: before, options: {}, engine, next: 'again' };
  return judge({ ...request, ...(ledgers ? { ledgers } : {}) });
}

/** All but what was read. */
function said(result: Result): unknown {
  const { bytes_read: _, bytes_recalled: __, ...coverage } = result.coverage ?? {};
  return { ...result, coverage };
}

describe.each([
  ['in memory', () => new MemoryLedgers()],
  ['in a folder', () => new LedgerFolder(join(folder, 'state'), `run ${runs++}`)],
])('ledgers %s', (_, open) => {
  it('spare the pages that stand still, and change no word', async () => {
    const ledgers = open();
    await judged(0, null, ledgers);
    const plain = await judged(1, 0);
    const spared = await judged(1, 0, ledgers);
    expect(plain.verdict).toBe('intact');
    expect(said(spared)).toEqual(said(plain));
    // The frozen tensor, and the second page of a weight and of its two moments.
    const standing = 4 * frozenElements + 3 * 4 * (tableElements - trainedElements);
    expect(spared.coverage?.bytes_recalled).toBe(standing);
    expect(spared.coverage?.bytes_read).toBe((plain.coverage?.bytes_read ?? 0) - standing);
    const next = await judged(2, 1, ledgers);
    expect(next.coverage?.bytes_recalled).toBe(standing);
    expect(said(next)).toEqual(said(await judged(2, 1)));
  });

  it('are not asked where somebody would be paged', async () => {
    const ledgers = open();
    await judged(0, null, ledgers);
    rot(steps[1] as string, 'exp_avg_sq/table', 30);
    const found = await judged(1, 0, ledgers);
    expect(found.verdict).toBe('suspect');
    expect(found).toEqual(await judged(1, 0));
  });

  it('keep nothing of what is not trusted', async () => {
    const ledgers = open();
    rot(steps[1] as string, 'exp_avg_sq/table', 30);
    await judged(1, 0, ledgers);
    expect((await judged(2, 1, ledgers)).coverage?.bytes_recalled).toBeUndefined();
  });

  it.each([
    // The second moment is larger in the base than the head may have let it become.
    ['exp_avg_sq/table', 30, 'corrupt'],
    ['parameter/table', 3, 'intact'],
  ] as const)(
    'tell a base whose %s rotted (bit %i) from a head that is damaged',
    async (...rotten) => {
      const [name, bit, verdict] = rotten;
      const ledgers = open();
      await judged(0, null, ledgers);
      rot(steps[0] as string, name, bit);
      expect((await judged(1, 0)).verdict).toBe(verdict);
      const known = await judged(1, 0, ledgers);
      expect(known.base).toBeUndefined();
      expect(known.findings).toMatchObject([
        { rule: 'changed-at-rest', tensor: name, certainty: 'confirmed' },
      ]);
      expect(known.findings?.[0]?.message).toMatch(/^in the base: /);
    },
  );
});
