/** Laws that need no sweep of their own: they are read off records, counters and bit comparisons. */
import type { RecordLaw } from './law.ts';

export const finiteValues: RecordLaw = {
  id: 'finite-values',
  scope: 'record',
  title: 'Every number is a number',
  family: 'well-formed',
  statement: 'Weights, gradients, moments, masters and averages hold no NaN and no infinity.',
  derivation:
    'No optimizer step turns finite state and a finite gradient into a NaN. An infinite second moment can ' +
    'also be honest overflow of g² above 3.4e38; training cannot go on from it either way.',
  needs: 'the tensor alone; not judged for buffers and for tensors of unknown use',
  cost: 'none beside the summary',
  cannotSee: 'Wrong numbers that are finite.',
  advice:
    'Go back to the last trusted checkpoint; look for the first step whose loss or gradient was not finite.',
};

export const stepCounter: RecordLaw = {
  id: 'step-counter',
  scope: 'record',
  title: 'Step counters count',
  family: 'well-formed',
  statement:
    'Every counter is a whole number, at least 0, below 2²⁴ if it is a float32, and none goes backwards ' +
    'while others do not.',
  derivation:
    'Counters are incremented by one. 16,777,216 + 1 is itself in float32: from there on a counter stands. ' +
    'If all went backwards the optimizer was re-created or the base is not an ancestor: that is lineage.',
  needs: 'the counters',
  cost: 'none',
  cannotSee: 'A counter that was changed to another plausible number (the pair laws often do).',
  advice: 'Restore the optimizer’s state from the last trusted checkpoint.',
};

export const bitsAgree: RecordLaw = {
  id: 'bits-agree',
  scope: 'record',
  title: 'Copies that must be equal are equal',
  family: 'identity',
  statement:
    'Two reads of one step, tied tensors, frozen parameters, and a 16-bit copy against its rounded float32 ' +
    'master agree bit for bit.',
  derivation:
    'Equal by construction: a copy is the master rounded to nearest even; a tied tensor is one tensor; what ' +
    'no optimizer holds is not written. NaN equals itself here and −0 differs from 0.',
  needs: 'both tensors',
  cost: '4 to 6 bytes an element',
  cannotSee:
    'Damage that both copies share. A tensor in no optimizer that moved as a whole (a target network, an ' +
    'average) is not called frozen.',
  advice:
    'One of the two copies is damaged; the message names both. Keep the one that agrees with the base.',
};

export const constantBuffers: RecordLaw = {
  id: 'constant-buffers',
  scope: 'record',
  title: 'Buffers that nothing writes stay as they are',
  family: 'identity',
  statement:
    'inv_freq, position_ids, token_type_ids, relative positions, sine and cosine tables and causal masks equal ' +
    'the base bit for bit. Positions equal 0, 1, 2, …; inv_freq equals base^(−2i/d) within 4 ulp of float32 ' +
    'where most of it tells a whole base.',
  derivation:
    'A module computes them when it is built and no step of training writes them. A power differs between ' +
    'devices by 2 ulp, and as much is granted to our own. A buffer of which more than a sixteenth differs was ' +
    'computed in another way (scaled or stretched rotary frequencies) and is not judged.',
  needs: 'a buffer under one of these names; the base for all but positions and inv_freq',
  cost: 'twice the bytes of the buffer',
  cannotSee:
    'A mask without a base: a causal one and one of a sliding window differ by as little as damage does. ' +
    'BatchNorm’s buffers and pruning masks, which training writes.',
  advice: 'Let the model compute the buffer again and go on.',
};
