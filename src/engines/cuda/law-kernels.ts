/** The kernels of laws: their names, and constants in the order that kernels/cuda/laws.cu reads. */
import type { KernelName } from './kernels.ts';

export interface LawKernel {
  readonly name: KernelName;
  readonly constants: readonly string[];
}

/** Every law that a sweep can ask for. Operands stand in the law's own order. */
export const lawKernels: ReadonlyMap<string, LawKernel> = new Map<string, LawKernel>([
  [
    'moment-bound',
    {
      name: 'momentBound',
      constants: ['constant', 'finite', 'firstDrift', 'secondDrift', 'cast'],
    },
  ],
  [
    'moment-increment',
    {
      name: 'momentIncrement',
      constants: [
        ...['constant', 'finite', 'middle', 'half', 'inherited'],
        ...['firstDrift', 'secondDrift', 'cast'],
      ],
    },
  ],
  [
    'bounded-update',
    {
      name: 'boundedUpdate',
      constants: [
        ...['steps', 'cap', 'inherited', 'fresh', 'decayLog', 'secondFresh', 'grown', 'floor'],
        ...['spare', 'cast', 'weightCast', 'rate', 'middle', 'half', 'rounding', 'nearest'],
        ...['decayRounding', 'tiny', 'maximum'],
      ],
    },
  ],
  [
    'capped-update',
    {
      name: 'cappedUpdate',
      constants: ['move', 'middle', 'half', 'rounding', 'decayRounding', 'tiny', 'cast'],
    },
  ],
  [
    'second-moment-decay',
    { name: 'secondMomentDecay', constants: ['inherited', 'drift', 'widened'] },
  ],
  ['maximum-dominates', { name: 'maximumDominates', constants: ['drift', 'grown'] }],
  [
    'replay-moments',
    {
      name: 'replayMoments',
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
      constants: [
        ...['rate', 'firstCorrection', 'secondCorrection', 'eps', 'kept', 'stepError'],
        ...['baseError', 'headError', 'underflow', 'maximum'],
      ],
    },
  ],
  [
    'replay-gradient',
    {
      name: 'replayGradient',
      constants: ['beta1', 'fresh', 'headError', 'baseError', 'gradientError', 'underflow'],
    },
  ],
  [
    'replay-sgd',
    {
      name: 'replaySgd',
      constants: ['rate', 'momentum', 'nesterov', 'stepError', 'weightError', 'underflow'],
    },
  ],
  ['running-variance', { name: 'runningVariance', constants: [] }],
  // Another name for −x ≤ 0.
  ['block-scale', { name: 'runningVariance', constants: [] }],
  [
    'replay-average',
    { name: 'replayAverage', constants: ['share', 'half', 'updateError', 'averageTiny'] },
  ],
  ['average-between', { name: 'averageBetween', constants: ['slack', 'averageTiny'] }],
  [
    'state-progress',
    { name: 'stateProgress', constants: ['subject', 'inherited', 'share', 'rate', 'eps'] },
  ],
  ['no-blank-lines', { name: 'noBlankLines', constants: ['subject', 'first', 'second'] }],
]);
