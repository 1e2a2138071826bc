/** A condition with a life, as it is stored. What moves it on is in `alerts/`. */
import type { Severity, Verdict } from '../verdict/result.ts';

/** An alert as it stands now; its past is in the events. */
export interface AlertRecord {
  /** Stable for its run: the same on every repetition. */
  readonly id: string;
  readonly run: string;
  readonly state: 'firing' | 'acknowledged' | 'resolved';
  readonly severity: Severity;
  readonly verdict: Verdict;
  /** The checkpoint that last fired it, or that resolved it. */
  readonly checkpoint: { readonly path: string; readonly step: number | null };
  /** Rules that the checkpoint breaks, worst first, at most 10. */
  readonly rules: readonly string[];
  /** Bad checkpoints since it began to fire. */
  readonly count: number;
  /** RFC 3339: when it began to fire, and when it last changed. */
  readonly since: string;
  readonly updatedAt: string;
  readonly acknowledgedBy: string | null;
}
