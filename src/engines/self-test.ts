/** Does an engine compute here what the reference engine computes? For `laika doctor`. */

import { isDeepStrictEqual } from 'node:util';
import { type DType, dtypeBits } from '../checkpoint/dtype.ts';
import { unowned } from '../checkpoint/tensor.ts';
import type { Operand } from '../laws/law.ts';
import { blockElements, pageBytes } from '../records/grid.ts';
import type { Source } from '../sources/source.ts';
import type { Engine, EngineContext, Stream, Sweep, SweepResult } from './engine.ts';
import { openReferenceEngine } from './reference/reference-engine.ts';

/** Four pages and a rest that fills neither block nor line. */
const fourPages = pageBytes + 77;

/** Words that look random and are the same everywhere (a linear congruential generator). */
function scrambledWords(seed: number, elements: number): Uint32Array {
  const words = new Uint32Array(elements);
  let state = seed;
  for (let i = 0; i < elements; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[i] = state ^ (state >>> 15);
  }
  return words;
}

/** Ordinary float32 with a NaN, infinities, zeros, subnormals and a blank block among them. */
function ordinaryFloats(seed: number, elements: number): Uint8Array {
  const words = scrambledWords(seed, elements).map((word) => (word & 0x80ffffff) | 0x3b000000);
  const odd = [0x7fc00001, 0x7f800000, 0xff800000, 0, 0x80000000, 1, 0x807fffff, 0x7f7fffff];
  const part = Math.floor(elements / 4);
  for (const [i, word] of odd.entries()) words[part * (1 + (i % 3)) + 97 * i] = word;
  const blank = Math.floor(elements / blockElements / 20) * blockElements;
  return new Uint8Array(words.fill(0, blank, blank + blockElements).buffer);
}

/** The same numbers without sign: a second moment. */
function positiveFloats(seed: number, elements: number): Uint8Array {
  const bytes = ordinaryFloats(seed, elements);
  for (let i = 3; i < bytes.length; i += 4) bytes[i] = (bytes[i] as number) & 127;
  return bytes;
}

function streamOf(operand: Operand, dtype: DType, bytes: Uint8Array): Stream {
  const elements = (8 * bytes.length) / dtypeBits[dtype];
  return {
    origin: 'head',
    tensor: {
      name: operand,
      role: 'other',
      ...unowned,
      file: 'self-test',
      dtype,
      shape: [elements],
      elements,
      placement: { kind: 'inline', bytes },
    },
  };
}

function testSweep(elements: number): Sweep {
  const halves = Uint16Array.from(scrambledWords(9, elements));
  const streams = {
    wA: streamOf('wA', 'f32', ordinaryFloats(5, elements)),
    wB: streamOf('wB', 'f32', ordinaryFloats(6, elements)),
    mA: streamOf('mA', 'f32', ordinaryFloats(1, elements)),
    mB: streamOf('mB', 'f32', ordinaryFloats(2, elements)),
    vA: streamOf('vA', 'f32', positiveFloats(3, elements)),
    vB: streamOf('vB', 'f32', positiveFloats(4, elements)),
    copyB: streamOf('copyB', 'bf16', new Uint8Array(halves.buffer)),
    gB: streamOf('gB', 'f16', new Uint8Array(halves.buffer)),
    sB: streamOf('sB', 'f8e4m3fn', Uint8Array.from(scrambledWords(8, elements))),
  };
  const decay = { firstDrift: 1e-36, secondDrift: 1e-36, cast: 0, finite: 1, constant: 50 };
  return {
    elements,
    streams,
    summaries: ['mB', 'vB', 'copyB', 'gB', 'sB'],
    laws: [
      { law: 'moment-bound', constants: decay },
      { law: 'moment-increment', constants: { ...decay, middle: 0.8, half: 1e-6, inherited: 0.9 } },
    ],
    copies: [
      { relation: 'rounded', left: 'mB', right: 'copyB' },
      { relation: 'equal', left: 'mA', right: 'mB' },
    ],
    sha256: [],
    movement: { rows: 0, inherited: 0.9 },
  };
}

/** Streams of the self-test carry their bytes: nothing is read. */
const noSource: Source = {
  path: 'self-test',
  isFile: false,
  list: async () => [],
  stat: async () => null,
  read: async () => {
    throw new Error('the self-test reads no file');
  },
  localPath: () => null,
  close: async () => {},
};

/** The parts of two results that differ, for people. */
function differences(found: SweepResult, expected: SweepResult): string[] {
  const parts = ['summaries', 'laws', 'copies', 'movement'] as const;
  return parts.filter((part) => !isDeepStrictEqual(found[part], expected[part]));
}

/**
 * Compares an engine with the reference engine on `elements` elements (default four pages) with every
 * kind of odd number.
 */
export async function selfTest(
  engine: Engine,
  elements = fourPages,
): Promise<{ ok: boolean; detail: string }> {
  const sweep = testSweep(elements);
  const context: EngineContext = {
    sources: { head: noSource, base: null },
    checksums: { head: [], base: [] },
  };
  const reference = openReferenceEngine();
  const expected = await reference.run(sweep, context);
  const wrong = differences(await engine.run(sweep, context), expected);
  if (wrong.length > 0) {
    return { ok: false, detail: `${wrong.join(', ')} differ from the reference engine` };
  }
  return { ok: true, detail: `${elements} elements agree with the reference engine` };
}
