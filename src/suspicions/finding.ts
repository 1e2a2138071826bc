/** What a validation says. */
import type { Severity } from './budget.ts';

/** One rule (line) that speaks against one tensor. */
export interface Evidence {
  readonly rule: string;
  /** Id of the calibrated line; null for rules without calibration. */
  readonly line: string | null;
  readonly tensor: string;
  /** −log2 p of this one test; null where nothing was calibrated. */
  readonly bits: number | null;
  /** Bits less log2 of the tests in this validation: what severities go by. */
  readonly net: number | null;
  readonly severity: Severity;
  /** The statistic in octaves (exact rules: a count), and what it was expected to be. */
  readonly value: number;
  readonly reference: number;
  /**
   * Flat index of the element, or of the first element of the row or block; null where the rule has
   * none.
   */
  readonly element: number | null;
  /** Lanes (flat index mod 32) and mantissa planes that stick. */
  readonly lanes: readonly number[];
  readonly planes: readonly number[];
  readonly message: string;
}

/**
 * The strongest evidence against a tensor, with the rest under it. Bits are compared, never added.
 */
export interface SuspicionFinding extends Omit<Evidence, 'tensor'> {
  /**
   * Null: about the run. Where the heaviest evidence names no element, `element` is that of a
   * lighter one.
   */
  readonly tensor: string | null;
  readonly others: readonly Evidence[];
  /**
   * Step at which this warning was first told (this one if it is new); null for infos and unknown
   * steps.
   */
  readonly since: number | null;
  /** The same info on the same tensor twice in 4 validations. */
  readonly persistent: boolean;
}

/** What was tested, in elements of the head. */
export interface SuspicionCoverage {
  readonly rule: string;
  readonly elements: number;
  readonly of: number;
  readonly unknown: readonly { readonly reason: string; readonly elements: number }[];
}
