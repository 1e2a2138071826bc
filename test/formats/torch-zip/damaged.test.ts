import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { torchZip } from '../../../src/formats/torch-zip/torch-zip.ts';
import { randomBelow } from '../../engines/seeded.ts';
import { fixtures } from '../golden.ts';
import { MemorySource } from './memory-source.ts';
import { openBytes, outcomeOf } from './opened.ts';

const files = ['torch-2.13-zip/step-000006.pt', 'torch-1.13-zip/step-000006.pt'];

describe.each(files)('%s', (path) => {
  const whole = readFileSync(join(fixtures, path));
  const directoryOffset = whole.readUInt32LE(whole.length - 6);
  const pickleEnd = whole.indexOf(Buffer.from('PK\x07\x08', 'latin1'));

  it('cut anywhere is damage, and no longer complete', async () => {
    for (let percent = 0; percent < 100; percent += 1) {
      const cut = whole.subarray(0, Math.floor((whole.length * percent) / 100));
      const opened = await openBytes(cut);
      expect(opened.checkpoint.problems, `${percent} %`).toMatchObject([
        { rule: 'file-truncated', kind: 'damage', offset: cut.length },
      ]);
      expect(opened.checkpoint.complete, `${percent} %`).toBe(false);
      const sighting = await new MemorySource('model.pt', cut).sighting();
      expect(await torchZip.complete(sighting), `${percent} %`).toBe(false);
    }
  });

  it('without its last byte is damage', async () => {
    const opened = await openBytes(whole.subarray(0, -1));
    expect(opened.checkpoint.problems[0]?.rule).toBe('file-truncated');
  });

  /** Inverts one bit at each of `count` seeded places of a range. */
  async function flip(from: number, to: number, count: number): Promise<Map<string, number>> {
    const outcomes = new Map<string, number>();
    for (let i = 0; i < count; i += 1) {
      const copy = Buffer.from(whole);
      const at = from + randomBelow(to - from, from, 2 * i);
      copy[at] = (copy[at] as number) ^ (1 << randomBelow(8, from, 2 * i + 1));
      const outcome = await outcomeOf(() => openBytes(copy));
      expect(outcome, `byte ${at}`).not.toMatch(/^untyped/);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    return outcomes;
  }

  it('with one bit of its pickle inverted is never called fine', async () => {
    const outcomes = await flip(64, pickleEnd, 200);
    expect([...outcomes.keys()].filter((kind) => !/problem|security/.test(kind))).toEqual([]);
  });

  it('with one bit of its directory inverted ends in a typed outcome', async () => {
    const outcomes = await flip(directoryOffset, whole.length, 200);
    expect([...outcomes.keys()].sort()).toEqual(['fine', 'problem', 'security']);
  });

  it('with one bit of its members inverted ends in a typed outcome', async () => {
    // Dates, versions and padding say nothing about values: only there nothing is to be found.
    const outcomes = await flip(pickleEnd, directoryOffset, 200);
    expect([...outcomes.keys()].sort()).toEqual(['fine', 'problem', 'security']);
  });

  it('with one bit of a tensor inverted has one checksum that does not fit', async () => {
    const { checkpoint } = await openBytes(whole);
    const weights = checkpoint.checksums.filter(({ member }) => /\/data\/[0-9]+$/.test(member));
    expect(weights.length).toBeGreaterThan(20);
    for (const { offset, length } of weights) {
      if (length === 0) continue;
      const copy = Buffer.from(whole);
      copy[offset + length - 1] = (copy[offset + length - 1] as number) ^ 1;
      expect(await outcomeOf(() => openBytes(copy))).toBe('problem');
    }
  });
});

describe('a file that is no archive', () => {
  const sighting = (name: string, bytes: Uint8Array) => new MemorySource(name, bytes).sighting();
  const noise = Uint8Array.from({ length: 300 }, (_, i) => randomBelow(256, 7, i) | 0x80);

  it.each([
    ['model.pt', 'named'],
    ['last.pth.tar', 'named'],
    ['epoch=1.ckpt', 'named'],
    ['model.onnx', 'no'],
  ])('%s, full of noise, is %s', async (name, kind) => {
    expect(torchZip.recognise(await sighting(name, noise))).toBe(kind);
  });

  it('leaves plain pickles and the older stream to others', async () => {
    const stream = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
    expect(torchZip.recognise(await sighting('model.pt', stream))).toBe('no');
  });

  it('under a checkpoint’s name is damage', async () => {
    expect(await outcomeOf(() => openBytes(noise))).toBe('problem');
    expect(await outcomeOf(() => openBytes(new Uint8Array(4096)))).toBe('problem');
  });
});
