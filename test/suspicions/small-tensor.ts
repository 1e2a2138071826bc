/** Tensors of which only the figures that a test is about are chosen. */
import type { DType } from '../../src/checkpoint/dtype.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../src/records/summary.ts';
import type { Group } from '../../src/suspicions/suspicion.ts';
import type { JudgedTensor } from '../../src/suspicions/validation.ts';

export interface Figures {
  readonly dtype?: DType;
  readonly elements?: number;
  readonly zeros?: number;
  readonly nan?: number;
  /** Subnormal elements. */
  readonly denormals?: number;
  /** Largest and second largest |x|. */
  readonly max1?: number;
  readonly max2?: number;
  readonly zeroBlocks?: number;
  /** Stands for the content. */
  readonly content?: number;
  /** Lowest mantissa bits that are 0 in every element. */
  readonly zeroPlanes?: number;
  /** Mantissa bits that are 1 in every element, by lane; the others take both values. */
  readonly stuck?: Readonly<Record<number, number>>;
}

const mantissa = 0x7fffff;

/** 4,096 values of about 1 unless said otherwise. */
export function recordOf(figures: Figures = {}): SummaryRecord {
  const { dtype = 'f32', elements = 4096, zeros = 0, max1 = 1.5, max2 = 1.25 } = figures;
  const octaves = new Float64Array(256);
  octaves[126] = Math.floor((elements - zeros) / 2);
  octaves[127] = elements - zeros - octaves[126];
  octaves[0] = zeros;
  const blank = zeros === elements;
  const varying = (mantissa >>> (figures.zeroPlanes ?? 0)) << (figures.zeroPlanes ?? 0);
  return {
    ...emptySummaryRecord(dtype),
    elements,
    zeros,
    nan: figures.nan ?? 0,
    denormals: figures.denormals ?? 0,
    max1: blank ? 0 : max1,
    max1Index: blank ? 0 : 7,
    max2: blank ? 0 : max2,
    sumSquares: elements - zeros,
    octaves,
    laneOr: new Uint32Array(32).fill(blank ? 0 : 0x3f800000 | varying),
    laneAnd: Uint32Array.from({ length: 32 }, (_, lane) => figures.stuck?.[lane] ?? 0),
    laneCount: new Float64Array(32).fill((elements - zeros) / 32),
    zeroBlocks: figures.zeroBlocks ?? 0,
    digests: Uint32Array.of(figures.content ?? 0, 0),
  };
}

/** A tensor without pair and base; `rest` overrides. */
export function tensorOf(
  name: string,
  group: Group | null,
  rest: Partial<JudgedTensor> = {},
): JudgedTensor {
  return {
    name,
    unit: null,
    group,
    rows: 64,
    record: recordOf(),
    pair: null,
    before: null,
    varied: true,
    ...rest,
  };
}
