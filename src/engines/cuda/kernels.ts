/** The built kernels: where they lie, what they are called, and what they take. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../package.ts';

/** PTX for every GPU since Turing; the driver compiles it for the one that is there. */
export const artefactPath = join(packageRoot, 'kernels', 'cuda', 'laika.ptx');

/** The image as the driver takes it: text that ends with a zero. */
export function readImage(): Uint8Array {
  return Buffer.concat([readFileSync(artefactPath), Buffer.of(0)]);
}

/** Threads of a group, and elements that a group of each family takes. */
export const groupThreads = 256;
export const groupElements = { blocks: 32_768, counted: 4096, judged: 1024, lines: 4096 } as const;

/** 4 KiB pages that a group digests. */
export const groupDigests = 16;

/** Every parameter of a kernel is 8 bytes wide: an address or a count, or a float64. */
export type Parameter = bigint | { readonly real: number };

/** A count as a parameter. */
export function whole(count: number): bigint {
  return BigInt(count);
}

/** A float64 as a parameter. */
export function real(value: number): Parameter {
  return { real: value };
}

export type KernelName =
  | 'averageBetween'
  | 'boundedUpdate'
  | 'cappedUpdate'
  | 'compare128'
  | 'compare16'
  | 'compare32'
  | 'compare4'
  | 'compare64'
  | 'compare8'
  | 'compareBfloat16'
  | 'compareFloat16'
  | 'countCode16'
  | 'countCode4'
  | 'countCode8'
  | 'digest'
  | 'maximumDominates'
  | 'momentBound'
  | 'momentIncrement'
  | 'moveWeights'
  | 'noBlankLines'
  | 'replayAverage'
  | 'replayGradient'
  | 'replayMoments'
  | 'replaySgd'
  | 'replayWeights'
  | 'runningVariance'
  | 'secondMomentDecay'
  | 'squaresF32'
  | 'squaresF64'
  | 'squaresI32'
  | 'squaresI64'
  | 'squaresU32'
  | 'squaresU64'
  | 'stateProgress'
  | 'sumRows'
  | 'summariseC128'
  | 'summariseC32'
  | 'summariseC64'
  | 'summariseCode16'
  | 'summariseCode4'
  | 'summariseCode8'
  | 'summariseF32'
  | 'summariseF64'
  | 'summariseI32'
  | 'summariseI64'
  | 'summariseU32'
  | 'summariseU64';
