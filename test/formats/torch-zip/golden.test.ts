import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Optimizer } from '../../../src/checkpoint/optimizer.ts';
import { sight } from '../../../src/formats/sighting.ts';
import { torchZip } from '../../../src/formats/torch-zip/torch-zip.ts';
import { openLocalSource } from '../../../src/sources/local.ts';
import {
  compareTensors,
  digestOf,
  type ExpectedOptimizer,
  expectedStateOf,
  fixtures,
  numberOf,
} from './golden-state.ts';
import { openPath, wrongChecksums } from './opened.ts';

const cases = [
  'torch-1.13-zip',
  'torch-2.13-zip',
  'torch-adam-bfloat16',
  'torch-adam-float16',
  'torch-adamw-amsgrad',
  'torch-gradients',
  'torch-other-optimizers',
  'torch-param-names',
  'torch-sgd-momentum',
  'torch-zip-options',
  'timm-ema',
  'timm-optimizers',
];

describe.each(cases)('%s', (name) => {
  const { checkpoints } = expectedStateOf(name);

  it.each(checkpoints)('$path lists what torch saved', async (expected) => {
    const opened = await openPath(join(fixtures, name, expected.path));
    const { checkpoint, source } = opened;
    expect(checkpoint.problems.filter(({ kind }) => kind !== 'info')).toEqual([]);
    expect(checkpoint.complete).toBe(expected.complete);
    if (expected.step !== null) expect(checkpoint.step).toBe(expected.step);
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const tensor = checkpoint.tensors.find((each) => each.name === one.name);
      if (tensor) expect(await digestOf(source, tensor, 4096), one.name).toBe(one.sha256);
    }
    expect(await wrongChecksums(opened)).toEqual([]);
    await source.close();
  });

  it.each(checkpoints)('$path has its optimizers’ groups and counters', async (expected) => {
    const { checkpoint, source } = await openPath(join(fixtures, name, expected.path));
    await source.close();
    expect(checkpoint.optimizers).toHaveLength(expected.optimizers.length);
    for (const [i, one] of expected.optimizers.entries()) {
      compareOptimizer(checkpoint.optimizers[i] as Optimizer, one);
    }
  });
});

function compareOptimizer(found: Optimizer, expected: ExpectedOptimizer): void {
  expect(found.prefix).toBe(expected.prefix);
  for (const [g, { parameters, ...hyper }] of expected.groups.entries()) {
    expect(found.groups[g]?.hyper).toEqual(hyper);
    // A state whose owner the file does not tell keeps its own path as key.
    const keys = found.groups[g]?.keys.map((key, i) => {
      return key.startsWith(`${found.prefix}state.`) ? parameters[i] : key;
    });
    expect(keys).toEqual(parameters);
  }
  for (const { parameter, step, tensors } of found.parameters) {
    const stored = parameter === null ? undefined : expected.steps[parameter];
    if (stored !== undefined) expect(step, parameter ?? '').toBe(numberOf(stored));
    else if (Object.keys(tensors).length === 0) expect(step).toBeNull();
  }
}

/** The class that wrote the state, and what may be said of it from the file alone. */
const kinds: readonly (readonly [file: string, written: string, kind: string | null])[] = [
  ['torch-1.13-zip/step-000005.pt', 'AdamW', 'adam-or-adamw'],
  ['torch-2.13-zip/step-000005.pt', 'AdamW', 'adamw'],
  ['torch-adam-float16/step-000004.pt', 'Adam', 'adam'],
  ['torch-adamw-amsgrad/step-000004.pt', 'AdamW', 'amsgrad'],
  ['torch-sgd-momentum/step-000004.pt', 'SGD', 'sgd'],
  ['torch-other-optimizers/sgd-plain.pt', 'SGD', 'sgd'],
  ['torch-other-optimizers/adagrad.pt', 'Adagrad', 'adagrad'],
  ['torch-other-optimizers/adadelta.pt', 'Adadelta', 'adadelta'],
  ['torch-other-optimizers/adamax.pt', 'Adamax', 'adamax'],
  ['torch-other-optimizers/nadam.pt', 'NAdam', 'nadam'],
  ['torch-other-optimizers/radam.pt', 'RAdam', 'radam'],
  ['torch-other-optimizers/rmsprop.pt', 'RMSprop', 'rmsprop'],
  ['torch-other-optimizers/rprop.pt', 'Rprop', 'rprop'],
  ['torch-other-optimizers/asgd.pt', 'ASGD', 'asgd'],
  ['torch-other-optimizers/adafactor.pt', 'Adafactor', 'adafactor'],
  ['torch-other-optimizers/muon.pt', 'Muon', 'muon'],
  ['torch-other-optimizers/lbfgs.pt', 'LBFGS', 'lbfgs'],
  ['torch-other-optimizers/sparseadam.pt', 'SparseAdam', null],
  ['torch-other-optimizers/adam-capturable.pt', 'Adam', 'adam'],
  ['timm-optimizers/lion.pth', 'Lion', 'lion'],
  ['timm-optimizers/lamb.pth', 'Lamb', 'lamb'],
  ['timm-optimizers/adan.pth', 'Adan', 'adan'],
  ['timm-optimizers/adabelief.pth', 'AdaBelief', 'adabelief'],
  ['timm-optimizers/nadamw.pth', 'NAdamW', 'nadamw'],
  ['timm-optimizers/madgrad.pth', 'MADGRAD', 'madgrad'],
  ['timm-optimizers/laprop.pth', 'LaProp', 'laprop'],
  ['timm-optimizers/adafactor.pth', 'Adafactor', 'adafactor'],
  ['timm-optimizers/adopt.pth', 'Adopt', 'adopt'],
  ['timm-optimizers/mars.pth', 'Mars', 'mars'],
];

describe('the optimizer’s class', () => {
  it.each(kinds)('%s was written by %s and proves %s', async (file, written, kind) => {
    const [name = '', path] = file.split('/');
    const expected = expectedStateOf(name).checkpoints.find((each) => each.path === path);
    expect(expected?.optimizers[0]?.kind).toBe(written);
    const { checkpoint } = await openPath(join(fixtures, file));
    expect(checkpoint.optimizers[0]?.kind).toBe(kind);
  });
});

describe('counters', () => {
  it.each([
    ['torch-2.13-zip/step-000005.pt', 1, { stepScope: 'own', stepDtype: 'f32' }],
    ['timm-optimizers/lamb.pth', 0, { stepScope: 'shared', stepDtype: 'f32' }],
    ['timm-optimizers/adan.pth', 0, { stepScope: 'shared', stepDtype: 'int' }],
    ['timm-optimizers/adabelief.pth', 0, { stepScope: 'own', stepDtype: 'int' }],
    ['timm-optimizers/lion.pth', 0, { stepScope: null, stepDtype: null }],
  ])('%s: state %i is %o', async (file, index, counter) => {
    const { checkpoint } = await openPath(join(fixtures, file));
    expect(checkpoint.optimizers[0]?.parameters[index]).toMatchObject(counter);
  });
});

describe('what else a file says', () => {
  it('knows a scheduler by its state', async () => {
    const with_ = await openPath(join(fixtures, 'torch-2.13-zip/step-000005.pt'));
    expect(with_.checkpoint.hasScheduler).toBe(true);
    const without = await openPath(join(fixtures, 'torch-adam-float16/step-000004.pt'));
    expect(without.checkpoint.hasScheduler).toBe(false);
  });

  it('says when a file was saved without checksums or without values', async () => {
    const bare = await openPath(join(fixtures, 'torch-zip-options/no-crc.pt'));
    expect(bare.checkpoint.checksums).toEqual([]);
    expect(bare.checkpoint.problems).toMatchObject([{ rule: 'note', kind: 'info' }]);
    const holes = await openPath(join(fixtures, 'torch-zip-options/skip-data.pt'));
    expect(holes.checkpoint.tensors).toEqual([]);
    expect(holes.checkpoint.problems).toMatchObject([{ rule: 'note', kind: 'info' }]);
  });

  it('is recognised by content under every name', async () => {
    for (const name of ['my.model.tar.pt', 'file-object.pt', 'aligned-4096.pt']) {
      const source = await openLocalSource(join(fixtures, 'torch-zip-options', name));
      const sighting = await sight(source);
      expect(torchZip.recognise(sighting), name).toBe('certain');
      expect(await torchZip.complete(sighting), name).toBe(true);
      await source.close();
    }
  });
});
