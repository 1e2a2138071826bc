/** Reading: what comes with it, and that it can be stopped. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CyclicChecksum } from '../../src/checkpoint/checkpoint.ts';
import { checksumKey, type Engine } from '../../src/engines/engine.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import type { OpenEngine } from './contract.ts';
import { randomBytes } from './seeded.ts';
import {
  contextOf,
  denseStream,
  inlineStream,
  MemorySource,
  summarise,
  sweepOf,
} from './tensors.ts';

const file = randomBytes(1, 5_000_000);
/** More than one chunk, however large a chunk is. */
const long = randomBytes(2, 9_600_000);

function stored(offset: number, length: number): CyclicChecksum {
  return { kind: 'crc32', file: 'a', member: `a/${offset}`, offset, length, expected: 0 };
}

export function readingContract(open: OpenEngine): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it('computes the stored checksums that a stream covers in whole, and no other', async () => {
    const streams = {
      wB: denseStream('f32', [{ file: 'a', offset: 3, elements: 300_000 }]),
      mB: denseStream('f32', [{ file: 'a', offset: 1_300_000, elements: 300_000 }]),
      vB: denseStream('f32', [
        { file: 'a', offset: 2_600_000, elements: 200_000 },
        { file: 'a', offset: 3_400_000, elements: 100_000 },
      ]),
    };
    const head = [stored(3, 1_200_000), stored(1_300_000, 1_200_004), stored(2_600_000, 1_200_000)];
    const context = contextOf({ a: file }, { checksums: { head, base: [] } });
    const result = await engine.run(sweepOf(streams), context);
    const expected = crc32(file.subarray(3, 1_200_003));
    expect([...result.crcs]).toEqual([[checksumKey('head', stored(3, 0)), expected]]);
    expect(result.bytesRead).toBe(3_600_000);
  });

  it('computes CRC-32C where that is what is stored, before it is masked', async () => {
    const streams = {
      wB: denseStream('f32', [{ file: 'a', offset: 3, elements: 300_000 }]),
      mB: denseStream('f32', [{ file: 'a', offset: 1_300_000, elements: 300_000 }]),
    };
    const head = [
      { ...stored(3, 1_200_000), kind: 'crc32c' as const },
      { ...stored(1_300_000, 1_200_000), kind: 'crc32c-masked' as const },
    ];
    const context = contextOf({ a: file }, { checksums: { head, base: [] } });
    const { crcs } = await engine.run(sweepOf(streams), context);
    for (const each of head) {
      const covered = file.subarray(each.offset, each.offset + each.length);
      expect(crcs.get(checksumKey('head', each))).toBe(crc32c(covered));
    }
  });

  it('computes a stored checksum once where several streams lie in the same bytes', async () => {
    const placed = denseStream('f32', [{ file: 'a', offset: 3, elements: 300_000 }]);
    const context = contextOf(
      { a: file },
      { checksums: { head: [stored(3, 1_200_000)], base: [] } },
    );
    const result = await engine.run(sweepOf({ mB: placed, vB: placed }), context);
    const expected = crc32(file.subarray(3, 1_200_003));
    expect([...result.crcs]).toEqual([[checksumKey('head', stored(3, 0)), expected]]);
  });

  it('keeps checksums of base and head apart', async () => {
    const other = randomBytes(2, 400);
    const placed = denseStream('u8', [{ file: 'a', offset: 0, elements: 400 }]);
    const streams = { wB: placed, wA: { ...placed, origin: 'base' as const } };
    const result = await engine.run(sweepOf(streams), {
      sources: { head: new MemorySource({ a: file }), base: new MemorySource({ a: other }) },
      checksums: { head: [stored(0, 400)], base: [stored(0, 400)] },
    });
    expect(result.crcs.get('head\0a\x000')).toBe(crc32(file.subarray(0, 400)));
    expect(result.crcs.get('base\0a\x000')).toBe(crc32(other));
  });

  it('hashes the logical bytes of the streams that ask for it', async () => {
    const pieces = [
      { file: 'a', offset: 2_000_000, elements: 1_500_001 },
      { file: 'a', offset: 5, elements: 900_000 },
    ];
    const streams = { sB: denseStream('u8', pieces), sA: denseStream('u8', pieces) };
    const result = await engine.run(sweepOf(streams, { sha256: ['sB'] }), contextOf({ a: file }));
    const hash = createHash('sha256');
    for (const { offset, elements } of pieces)
      hash.update(file.subarray(offset, offset + elements));
    expect(result.sha256).toEqual({ sB: hash.digest('hex') });
  });

  it('reports bytes as they are read', async () => {
    const seen: number[] = [];
    const sweep = sweepOf({
      sB: denseStream('f32', [{ file: 'a', offset: 0, elements: 2_400_000 }]),
    });
    await engine.run(sweep, contextOf({ a: long }, { onBytes: (bytes) => seen.push(bytes) }));
    expect(seen.length).toBeGreaterThan(2);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(9_600_000);
  });

  it('stops when it is told to, and works on afterwards', async () => {
    const stop = new AbortController();
    const sweep = sweepOf(
      { sB: denseStream('bf16', [{ file: 'a', offset: 0, elements: 4_800_000 }]) },
      { summaries: ['sB'] },
    );
    const context = contextOf(
      { a: long },
      { signal: stop.signal, onBytes: () => stop.abort(new Error('enough')) },
    );
    await expect(engine.run(sweep, context)).rejects.toThrow('enough');
    const after = await engine.run(sweep, contextOf({ a: long }));
    const again = await engine.run(sweep, contextOf({ a: long }));
    expect(after.summaries.sB).toEqual(again.summaries.sB);
    expect(after.summaries.sB?.elements).toBe(4_800_000);
  });

  it('passes on what the storage says, and works on afterwards', async () => {
    const sweep = sweepOf({ sB: denseStream('f32', [{ file: 'b', offset: 0, elements: 9 }]) });
    await expect(engine.run(sweep, contextOf({ a: file }))).rejects.toThrow('no file b');
    expect(await summarise(engine, 'u8', Uint8Array.of(1, 2))).toMatchObject({ sum: 3 });
  });

  it('keeps sweeps apart that are started together', async () => {
    const tensors = Array.from({ length: 8 }, (_, i) => randomBytes(i, 8 * 500));
    const apart = [];
    for (const bytes of tensors) apart.push(await summarise(engine, 'f64', bytes));
    const together = await Promise.all(tensors.map((bytes) => summarise(engine, 'f64', bytes)));
    expect(together).toEqual(apart);
  });

  it('reads streams of several types side by side', async () => {
    const streams = {
      wB: inlineStream('f32', randomBytes(1, 4 * 3000)),
      copyB: inlineStream('bf16', randomBytes(2, 2 * 3000)),
      mB: inlineStream('f64', randomBytes(3, 8 * 3000)),
      sB: inlineStream('f4e2m1', randomBytes(4, 1500)),
      sA: inlineStream('c128', randomBytes(5, 16 * 3000)),
    };
    const operands = ['wB', 'copyB', 'mB', 'sB', 'sA'] as const;
    const together = await engine.run(sweepOf(streams, { summaries: operands }), contextOf());
    for (const operand of operands) {
      const { tensor } = streams[operand];
      const bytes = tensor.placement.kind === 'inline' ? tensor.placement.bytes : new Uint8Array();
      const alone = await summarise(engine, tensor.dtype, bytes);
      expect(together.summaries[operand]).toEqual(alone);
    }
  });

  it('lets the event loop turn while it computes', async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    const sweep = sweepOf({ sB: denseStream('u8', [{ file: 'a', offset: 0, elements: 4000 }]) });
    for (let i = 0; i < 1000; i++) await engine.run(sweep, contextOf({ a: file }));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
}
