import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCorpus, type Specimen } from '../../benchmarks/mutate/corpus.ts';
import { MemorySource } from '../../benchmarks/mutate/memory-source.ts';
import type { Placement } from '../../src/checkpoint/tensor.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { type OpenedCheckpoint, openSource } from '../../src/formats/open-checkpoint.ts';
import { scanPair } from '../../src/scan/scan.ts';

const corpus = readCorpus(fileURLToPath(new URL('../fixtures/formats', import.meta.url)));
const engine = await openReferenceEngine();

/** The smallest of each layout that is whole: damage is about the layout, not about the model. */
async function wholeSpecimen(layout: string): Promise<Specimen> {
  const size = ({ files }: Specimen) =>
    [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const sorted = [...(corpus.get(layout) ?? [])].sort((a, b) => size(a) - size(b));
  for (const specimen of sorted) {
    const { isFound } = await look(specimen, new Map());
    const opened = await openSource(new MemorySource(specimen.files, specimen.isFile));
    if (!isFound && filesOf(opened).length > 0) return specimen;
  }
  throw new Error(`no whole checkpoint of layout ${layout}`);
}

/** Real files that tensors lie in. */
function filesOf({ checkpoint }: OpenedCheckpoint): string[] {
  const real = new Map((checkpoint.encoded ?? []).map((each) => [each.name, each.file]));
  const names = (placement: Placement): string[] => {
    if (placement.kind === 'dense') return placement.pieces.map(({ file }) => file);
    if (placement.kind === 'boxes') return placement.boxes.flatMap((box) => names(box.placement));
    return placement.kind === 'strided' ? [placement.file] : [];
  };
  const all = checkpoint.tensors.flatMap(({ placement }) => names(placement));
  return [...new Set(all.map((name) => real.get(name) ?? name))];
}

/** Opens and scans the specimen with some files in another state: is anything found, or is it not yet whole? */
async function look(specimen: Specimen, changed: ReadonlyMap<string, Uint8Array>) {
  const source = new MemorySource(new Map([...specimen.files, ...changed]), specimen.isFile);
  const opened = await openSource(source);
  const { problems } = await scanPair({ head: opened, base: null, noBase: 'none' }, engine, {});
  const found = [...opened.checkpoint.problems, ...problems.head];
  const isFound = !opened.checkpoint.complete || found.some(({ kind }) => kind !== 'info');
  return { isFound, opened };
}

describe('a checkpoint whose file was cut', () => {
  it.each([...corpus.keys()])(
    'is damaged or not yet whole, at each hundredth of its length: %s',
    async (layout) => {
      const specimen = await wholeSpecimen(layout);
      const { opened } = await look(specimen, new Map());
      const missed: string[] = [];
      const files = filesOf(opened);
      // Every hundredth of one file; of many shards each is cut at fewer places.
      const step = Math.ceil(files.length / 2);
      for (const file of files) {
        const bytes = specimen.files.get(file) as Uint8Array;
        for (let percent = 0; percent < 100; percent += step) {
          const length = Math.floor((bytes.length * percent) / 100);
          const { isFound } = await look(specimen, new Map([[file, bytes.subarray(0, length)]]));
          if (!isFound) missed.push(`${file} cut to ${percent} %`);
        }
      }
      expect(missed).toEqual([]);
    },
  );
});

describe('a checkpoint with one bit flipped under a stored checksum', () => {
  it.each([...corpus.keys()])('is damaged, wherever the bit: %s', async (layout) => {
    const specimen = await wholeSpecimen(layout);
    const { opened } = await look(specimen, new Map());
    const missed: string[] = [];
    for (const { file, member, offset, length } of opened.checkpoint.checksums) {
      if (length === 0) continue;
      for (const at of new Set([0, length >> 1, length - 1])) {
        const bytes = new Uint8Array(specimen.files.get(file) as Uint8Array);
        bytes[offset + at] = (bytes[offset + at] as number) ^ (1 << (at % 8));
        const { isFound } = await look(specimen, new Map([[file, bytes]]));
        if (!isFound) missed.push(`${file}: byte ${at} of ${member}`);
      }
    }
    expect(missed).toEqual([]);
  });
});
