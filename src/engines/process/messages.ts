/** What Laika and the process of an engine tell each other; structured clones, in order. */
import type { ErrorDetails } from '../../checkpoint/errors.ts';
import type { EngineContext, Sweep, SweepResult } from '../engine.ts';

/** To the engine's process. */
export type Request =
  | {
      readonly type: 'run';
      readonly run: number;
      readonly sweep: Sweep;
      /** Numbers that stand for the sources: the same source keeps its number. */
      readonly sources: { readonly head: number; readonly base: number | null };
      readonly checksums: EngineContext['checksums'];
    }
  | { readonly type: 'abort'; readonly run: number }
  | { readonly type: 'answer'; readonly ask: number; readonly answer: ReadAnswer };

/** The bytes, or the path of a local file that the engine's process reads by itself. */
export type ReadAnswer =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'failed' };

/** From the engine's process. */
export type Report =
  | { readonly type: 'ready'; readonly device: string }
  | { readonly type: 'unavailable'; readonly details: ErrorDetails }
  | {
      readonly type: 'read';
      readonly ask: number;
      readonly run: number;
      readonly origin: 'base' | 'head';
      readonly file: string;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly type: 'progress'; readonly run: number; readonly bytes: number }
  | { readonly type: 'done'; readonly run: number; readonly result: SweepResult }
  | { readonly type: 'failed'; readonly run: number; readonly failure: Failure };

/** `input`: the sweep cannot be done. `engine`: the process is not to be trusted any longer. */
export type Failure =
  | { readonly kind: 'input'; readonly details: ErrorDetails }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'engine'; readonly message: string };
