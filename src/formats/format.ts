/** What every layout module implements. Opening lists tensors; it reads none of their bytes. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Source, SourceFile } from '../sources/source.ts';

/** What is known before anything is parsed. */
export interface Sighting {
  readonly source: Source;
  readonly files: readonly SourceFile[];
  /** First 4 KiB (or less) of a single-file source; empty for folders. */
  readonly head: Uint8Array;
}

export interface Format {
  readonly id: string;
  /** One line for people. */
  readonly title: string;
  /**
   * certain: content or fingerprint says so; named: only the name says so (then damage is a finding,
   * not "no checkpoint"); no: something else.
   */
  recognise(sighting: Sighting): 'certain' | 'named' | 'no';
  /** Does the layout's completion rule hold? Cheap: names, sizes and the smallest reads only. */
  complete(sighting: Sighting): Promise<boolean>;
  open(sighting: Sighting): Promise<Checkpoint>;
  /**
   * Whether such a file counts as a checkpoint of the run folder that it lies in; absent: always.
   * Arrays and exported models also lie beside checkpoints: those are judged where they are named.
   */
  isOfRun?(sighting: Sighting): boolean;
  /** The step inside, where a small read tells it: what orders the checkpoints of a run. */
  step?(sighting: Sighting): Promise<number | null>;
}
