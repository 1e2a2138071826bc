/**
 * The laws that have a kernel: what it takes, in its order. Other laws are judged by calling them.
 */
import type { Operand } from '../../laws/law.ts';

/**
 * A kernel of an element law: count, constants, skip and ratio columns, limit, then columns of
 * operands.
 */
export interface ElementKernel {
  readonly name:
    | 'boundedUpdate'
    | 'cappedUpdate'
    | 'maximumDominates'
    | 'momentBound'
    | 'momentIncrement'
    | 'replayMoments'
    | 'replayWeights'
    | 'secondMomentDecay';
  readonly operands: readonly Operand[];
  readonly constants: readonly string[];
  /** The kernel that screens float32 words before it judges, and its operands; all must be there. */
  readonly float32?: {
    readonly name: 'boundedUpdateFloat32' | 'momentBoundFloat32' | 'momentIncrementFloat32';
    readonly operands: readonly Operand[];
  };
}

/** A kernel of a line law: count, constants, skip, record, first element, words, then columns. */
export interface LineKernel {
  readonly name: 'noBlankLines' | 'stateProgress';
  /** Whose words it takes: of base and head, or of the head alone. */
  readonly words: readonly ('A' | 'B')[];
  readonly operands: readonly Operand[];
  readonly constants: readonly string[];
  /** The kernel for finite float32 words, and whose words it takes after the subject's. */
  readonly float32: {
    readonly name: 'noBlankLinesFloat32' | 'stateProgressFloat32';
    readonly operands: readonly Operand[];
  };
}

/** Kernels of element laws, by law. */
export const elementKernels: ReadonlyMap<string, ElementKernel> = new Map([
  [
    'moment-bound',
    {
      name: 'momentBound',
      operands: ['mB', 'vB'],
      constants: ['constant', 'finite', 'firstDrift', 'secondDrift', 'cast'],
      float32: { name: 'momentBoundFloat32', operands: ['mB', 'vB'] },
    },
  ],
  [
    'moment-increment',
    {
      name: 'momentIncrement',
      operands: ['mA', 'vA', 'mB', 'vB'],
      constants: [
        ...['constant', 'finite', 'middle', 'half', 'inherited'],
        ...['firstDrift', 'secondDrift', 'cast'],
      ],
      float32: { name: 'momentIncrementFloat32', operands: ['mA', 'vA', 'mB', 'vB'] },
    },
  ],
  [
    'bounded-update',
    {
      name: 'boundedUpdate',
      operands: ['wA', 'wB', 'mA', 'vA', 'vB', 'xB'],
      constants: [
        ...['steps', 'cap', 'inherited', 'fresh', 'decayLog', 'secondFresh', 'grown', 'floor'],
        ...['spare', 'cast', 'weightCast', 'rate', 'middle', 'half', 'rounding', 'nearest'],
        ...['decayRounding', 'tiny', 'maximum'],
      ],
      float32: { name: 'boundedUpdateFloat32', operands: ['wA', 'wB', 'mA', 'vA', 'vB'] },
    },
  ],
  [
    'capped-update',
    {
      name: 'cappedUpdate',
      operands: ['wA', 'wB'],
      constants: ['move', 'middle', 'half', 'rounding', 'decayRounding', 'tiny', 'cast'],
    },
  ],
  [
    'second-moment-decay',
    {
      name: 'secondMomentDecay',
      operands: ['vA', 'vB'],
      constants: ['inherited', 'drift', 'widened'],
    },
  ],
  [
    'maximum-dominates',
    { name: 'maximumDominates', operands: ['vB', 'xA', 'xB'], constants: ['drift', 'grown'] },
  ],
  [
    'replay-moments',
    {
      name: 'replayMoments',
      operands: ['mA', 'vA', 'mB', 'vB'],
      constants: [
        ...['beta1', 'fresh1', 'beta2', 'fresh2', 'headError', 'baseError', 'gradientError'],
        ...['underflow', 'secondBase', 'secondHead', 'secondUnderflow', 'squareError'],
      ],
    },
  ],
  [
    'replay-weights',
    {
      name: 'replayWeights',
      operands: ['wA', 'wB', 'mB', 'vB', 'xB'],
      constants: [
        ...['rate', 'firstCorrection', 'secondCorrection', 'eps', 'kept', 'stepError'],
        ...['baseError', 'headError', 'underflow', 'maximum'],
      ],
    },
  ],
]);

/** Kernels of line laws, by law. */
export const lineKernels: ReadonlyMap<string, LineKernel> = new Map([
  [
    'state-progress',
    {
      name: 'stateProgress',
      words: ['A', 'B'],
      operands: ['wA', 'mA', 'vA', 'mB', 'vB'],
      constants: ['subject', 'inherited', 'share', 'rate', 'eps'],
      float32: { name: 'stateProgressFloat32', operands: ['wA', 'mA', 'vA', 'mB', 'vB'] },
    },
  ],
  [
    'no-blank-lines',
    {
      name: 'noBlankLines',
      words: ['B'],
      operands: ['wA', 'mA', 'vA'],
      constants: ['subject', 'first', 'second'],
      float32: { name: 'noBlankLinesFloat32', operands: [] },
    },
  ],
]);
