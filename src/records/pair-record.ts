/** The record of the `pair` pass beside its laws: how the weights moved, and what the second moment gained. */

export interface PairRecord {
  /** Elements whose bits differ between base and head. */
  changed: number;
  /** Largest |Δθ| (Δ = float32(head − base), finite) with its first index, and the second largest. */
  deltaMax1: number;
  deltaMax1Index: number;
  deltaMax2: number;
  /** ΣΔ² in float64, in grid order. */
  deltaSquares: number;
  /** Elements by the biased exponent of Δ. */
  readonly deltaOctaves: Float64Array;
  /** ΣΔ² for each row of the first dimension (tensors of two or more dimensions, 4 or more rows), else empty. */
  rowEnergy: Float64Array;
  /** ΣΔ² for each whole block of 1,024 elements, where there are two or more. */
  blockEnergy: Float64Array;
  /** Σ(v_head − β₂ᵏ v_base) in float64; 0 without second moments. */
  secondGained: number;
  /** Mean of m²/v over elements of the head with v > 0; NaN without. */
  ratioMean: number;
}
