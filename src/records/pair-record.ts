/** The record of the `pair` pass beside its laws: how the weights moved, and what the second moment gained. */
import { blockElements, octaveStride, smallTensorBytes } from './grid.ts';

/**
 * Δ = float32(head − base): the difference of the exact values (64-bit integers rounded to float64),
 * formed in float64 and then rounded once; of float32 and narrower types that is what float32
 * arithmetic gives. Elements whose Δ is not finite (an end is NaN or infinite, or the difference
 * overflows; complex elements have none) take no part in anything but `changed`.
 */
export interface PairRecord {
  /**
   * Elements whose stored bits differ between base and head (where they are of two types: whose
   * values differ; NaN differs from everything).
   */
  changed: number;
  /**
   * Largest |Δ| with its first index, and the second largest; of equal ones both are the same. 0
   * and index −1 where no Δ is finite.
   */
  deltaMax1: number;
  deltaMax1Index: number;
  deltaMax2: number;
  /** ΣΔ² in float64, in grid order with pages of 262,144 elements whatever the stored type. */
  deltaSquares: number;
  /**
   * Elements by the biased exponent of Δ, sign ignored; zeros and subnormals at index 0. Of more
   * than 2,097,152 elements (8 MiB of Δ, whatever the stored type) only every 8th block is counted.
   */
  readonly deltaOctaves: Float64Array;
  /**
   * ΣΔ² for each row of the first dimension: of tensors of two or more dimensions with 4 or more
   * rows and 64 or more elements, else empty. What a row has in one block is summed in 8 chains
   * as blocks are (element i of the block in chain i mod 8); blocks of one page are added in order,
   * then pages of 262,144 elements.
   */
  readonly rowEnergy: Float64Array;
  /** ΣΔ² for each whole block of 1,024 elements, in grid order; empty below two blocks. */
  readonly blockEnergy: Float64Array;
  /**
   * Σ(v_head − β₂ᵏ v_base) in float64 over finite terms, in grid order as above; Σ v_head where β₂ᵏ
   * is unknown (0); 0 without second moments at both ends.
   */
  secondGained: number;
  /**
   * Mean of m²/v over elements of the head with finite m and finite v > 0, summed as above; NaN
   * where there are none.
   */
  ratioMean: number;
}

const leastRows = 4;
const leastRowElements = 64;
const deltaBytes = 4;

/** What a tensor must be for its movement to have these tables. */
export interface MovedShape {
  readonly elements: number;
  /** The first dimension of a tensor of two or more, else 0. */
  readonly rows: number;
}

/** Elements of one row of `rowEnergy`; 0 where it is empty. */
export function elementsOfRow({ elements, rows }: MovedShape): number {
  const isJudged = rows >= leastRows && elements >= leastRowElements && elements % rows === 0;
  return isJudged ? elements / rows : 0;
}

/** Blocks whose index is a multiple of this are counted in `deltaOctaves`. */
export function deltaOctaveStride(elements: number): number {
  return elements * deltaBytes <= smallTensorBytes ? 1 : octaveStride;
}

/** The record of nothing seen yet, its tables of their full length and 0. */
export function emptyPairRecord(shape: MovedShape): PairRecord {
  const blocks = Math.floor(shape.elements / blockElements);
  return {
    changed: 0,
    deltaMax1: 0,
    deltaMax1Index: -1,
    deltaMax2: 0,
    deltaSquares: 0,
    deltaOctaves: new Float64Array(256),
    rowEnergy: new Float64Array(elementsOfRow(shape) > 0 ? shape.rows : 0),
    blockEnergy: new Float64Array(blocks >= 2 ? blocks : 0),
    secondGained: 0,
    ratioMean: Number.NaN,
  };
}
