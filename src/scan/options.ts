/** What a caller may tell about a run that its files do not say. Nothing here is ever a default. */
import type { Detail } from '../engines/engine.ts';
import type { ParameterNames } from '../formats/parameter-names.ts';
import type { TrainingLog } from '../logs/training-log.ts';

import type { LedgerWriter } from '../records/ledger.ts';

/** `--optimizer kind=adamw,beta1=0.9,…`: fills what the file leaves unknown, never overrules it. */
export interface DeclaredOptimizer {
  readonly kind?: string;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  readonly weightDecay?: number;
  /** The largest that was used, for files that hold no rate. */
  readonly lr?: number;
  /** Decay of the weights' moving average, in force at the last step. */
  readonly averageDecay?: number;
}

export interface ScanOptions {
  readonly optimizer?: DeclaredOptimizer;
  /** No learning rate of the window was larger. */
  readonly lrMax?: number;
  /** Gradients were clipped to this global norm since the first step; recorded for coverage. */
  readonly clipNorm?: number;
  readonly log?: TrainingLog | null;
  /** Tensors get their SHA-256 as well. */
  readonly digest?: boolean;
  /** Owners of optimizer state that the files do not tell; `from` is the file that tells them. */
  readonly names?: { readonly names: ParameterNames; readonly from: string };
  /** Tensors are listed: those that are judged in parts are summarised as well. */
  readonly listed?: boolean;
  /** What the scan is compared with; absent: `history`. Without it nobody asks how weights moved. */
  readonly detail?: Detail;
  /** Takes what is to be kept of the head. */
  readonly ledger?: LedgerWriter;
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}
