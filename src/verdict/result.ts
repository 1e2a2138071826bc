/**
 * The result document: what every command that judges or lists prints, what history stores and what
 * events carry. Its JSON Schema is `result.schema.json`; numbers go through the codec of `records/`.
 */

import type { ErrorDetails } from '../checkpoint/errors.ts';
import type { HyperValue } from '../checkpoint/optimizer.ts';

export type Verdict = 'intact' | 'unremarkable' | 'suspect' | 'corrupt' | 'unverified';

export type Severity = 'critical' | 'error' | 'warning' | 'info';

export interface CheckpointPart {
  readonly path: string;
  readonly layout: string;
  readonly step: number | null;
  readonly complete: boolean;
  readonly optimizers: readonly {
    readonly kind: string | null;
    readonly groups: readonly Readonly<
      Record<string, HyperValue> & { readonly parameters: readonly string[] }
    >[];
    readonly steps: Readonly<Record<string, number | null>>;
  }[];
}

export interface Finding {
  readonly rule: string;
  readonly kind: 'law' | 'statistics' | 'structure' | 'security' | 'lineage' | 'declaration';
  readonly certainty: 'confirmed' | 'suspected';
  readonly severity: Severity;
  readonly evidence_bits?: number;
  readonly tensor?: string;
  readonly role?: string;
  readonly parameter?: string;
  readonly file?: string;
  readonly offset?: number;
  readonly rank?: number;
  readonly element?: { readonly index: number; readonly coordinates: readonly number[] };
  /** Elements, lines or tensors that break the rule. */
  readonly count: number;
  readonly left?: number;
  readonly right?: number;
  readonly values?: {
    readonly base?: Readonly<Record<string, number>>;
    readonly head?: Readonly<Record<string, number>>;
  };
  /** Hexadecimal stored bits; `flip` is the one bit whose flip explains the element, where one does. */
  readonly bits?: { readonly head: string; readonly base?: string; readonly flip?: number };
  readonly message: string;
  /** What pattern the damaged elements make and what usually makes it; a lead, not a verdict. */
  readonly lead?: {
    readonly pattern: string;
    readonly lead: string;
    readonly facts: readonly string[];
  };
  readonly next: string;
}

export interface RuleCoverage {
  readonly rule: string;
  /** Elements judged. */
  readonly elements: number;
  /** All elements of the tensors that the rule is about. */
  readonly of: number;
  readonly unknown: readonly { readonly reason: string; readonly elements: number }[];
}

export interface Coverage {
  /** Bytes of all files of the head, and bytes read from head and base. */
  readonly bytes: number;
  readonly bytes_read: number;
  /** Bytes of the base that were not read: they are known from when it was judged. */
  readonly bytes_recalled?: number;
  readonly rules: readonly RuleCoverage[];
}

export interface TensorPart {
  readonly name: string;
  readonly role: string;
  readonly parameter: string | null;
  readonly mapping: string | null;
  readonly alias_of?: string;
  readonly file: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly nan?: number;
  readonly inf?: number;
  readonly zero?: number;
  readonly denormal?: number;
  readonly min?: number | bigint | null;
  readonly max?: number | bigint | null;
  readonly mean?: number | null;
  readonly std?: number | null;
  readonly l2?: number;
  readonly sha256?: string;
  /** Why there are no statistics. */
  readonly unread?: string;
}

export interface EnginePart {
  readonly name: string;
  readonly device: string;
  readonly threads: number;
  readonly bytes: number;
  readonly seconds: number;
  /** What failed under the engine and was made up for: evidence about the machine. */
  readonly warning?: string;
}

export interface Place {
  readonly checkpoint: string;
  readonly step: number | null;
}

/** A checkpoint on the way; `error`: why it could not be judged. */
export interface WalkedPart extends Place {
  readonly base: string | null;
  readonly verdict: Verdict;
  readonly error?: ErrorDetails;
}

/** What a walk over a dead run found; `Result.verdict` is the worst of the run, `trusted` the last good one. */
export interface PostmortemPart {
  readonly first_bad: Place | null;
  /** The pair whose laws show it; base null: one checkpoint by itself. */
  readonly shown_by: { readonly base: string | null; readonly head: string } | null;
  readonly blast: {
    readonly tensors: readonly string[];
    readonly layers: readonly string[];
    readonly ranks: readonly number[];
    /** Later checkpoints that inherit the fault, or cannot be told apart from those that do. */
    readonly checkpoints: readonly string[];
  };
  /** How to go on in the framework that wrote the files. */
  readonly resume: string;
  /** Every checkpoint that was judged, in order. */
  readonly walked: readonly WalkedPart[];
}

export interface Result {
  readonly schema: 'laika.result/1';
  readonly laika: { readonly version: string; readonly rules: string };
  readonly checkpoint?: CheckpointPart;
  readonly base?: CheckpointPart;
  readonly verdict?: Verdict;
  readonly findings?: readonly Finding[];
  readonly coverage?: Coverage;
  readonly tensors?: readonly TensorPart[];
  readonly trusted?: Place;
  readonly postmortem?: PostmortemPart;
  readonly engine?: EnginePart;
  readonly error?: ErrorDetails;
}
