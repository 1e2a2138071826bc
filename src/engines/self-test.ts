/** Does an engine compute here what the reference engine computes? For `laika doctor`. */
import { isDeepStrictEqual } from 'node:util';
import type { DType } from '../checkpoint/dtype.ts';
import type { Operand } from '../laws/law.ts';
import { pageBytes } from '../records/grid.ts';
import type { Source } from '../sources/source.ts';
import type { Engine, EngineContext, Stream, Sweep, SweepResult } from './engine.ts';
import { openReferenceEngine } from './reference/reference-engine.ts';

/** Four pages and a rest that fills neither block nor line. */
const elements = pageBytes + 77;

/** Words that look random and are the same everywhere (a linear congruential generator). */
function scrambledWords(seed: number): Uint32Array {
  const words = new Uint32Array(elements);
  let state = seed;
  for (let i = 0; i < elements; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[i] = state ^ (state >>> 15);
  }
  return words;
}

/** Ordinary float32 with a NaN, infinities, zeros, subnormals and a blank block among them. */
function ordinaryFloats(seed: number): Uint8Array {
  const words = scrambledWords(seed).map((word) => (word & 0x80ffffff) | 0x3b000000);
  const odd = [0x7fc00001, 0x7f800000, 0xff800000, 0, 0x80000000, 1, 0x807fffff, 0x7f7fffff];
  for (const [i, word] of odd.entries()) words[300_000 * (1 + (i % 3)) + 97 * i] = word;
  return new Uint8Array(words.fill(0, 51_200, 52_224).buffer);
}

/** The same numbers without sign: a second moment. */
function positiveFloats(seed: number): Uint8Array {
  const bytes = ordinaryFloats(seed);
  for (let i = 3; i < bytes.length; i += 4) bytes[i] = (bytes[i] as number) & 127;
  return bytes;
}

function streamOf(operand: Operand, dtype: DType, bytes: Uint8Array): Stream {
  return {
    origin: 'head',
    tensor: {
      name: operand,
      role: 'other',
      parameter: null,
      mapping: null,
      aliasOf: null,
      file: 'self-test',
      dtype,
      shape: [elements],
      elements,
      placement: { kind: 'inline', bytes },
    },
  };
}

function testSweep(): Sweep {
  const halves = Uint16Array.from(scrambledWords(9));
  const streams = {
    wA: streamOf('wA', 'f32', ordinaryFloats(5)),
    wB: streamOf('wB', 'f32', ordinaryFloats(6)),
    mA: streamOf('mA', 'f32', ordinaryFloats(1)),
    mB: streamOf('mB', 'f32', ordinaryFloats(2)),
    vA: streamOf('vA', 'f32', positiveFloats(3)),
    vB: streamOf('vB', 'f32', positiveFloats(4)),
    copyB: streamOf('copyB', 'bf16', new Uint8Array(halves.buffer)),
    sB: streamOf('sB', 'f8e4m3fn', Uint8Array.from(scrambledWords(8))),
  };
  const decay = { firstDrift: 1e-36, secondDrift: 1e-36, cast: 0, finite: 1, constant: 50 };
  return {
    elements,
    streams,
    summaries: ['mB', 'vB', 'copyB', 'sB'],
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

/** Compares an engine with the reference engine on four pages with every kind of odd number. */
export async function selfTest(engine: Engine): Promise<{ ok: boolean; detail: string }> {
  const sweep = testSweep();
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
