import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { locate } from '../../../src/checkpoint/locate.ts';
import { findCheckpoints } from '../../../src/formats/find-checkpoints.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { rankFilesOf } from '../../../src/formats/torch-ranks/rank-files.ts';
import { copyOf, emptyFolder } from '../altered-copy.ts';
import { judgePair, serious } from '../judge-pair.ts';
import { outcomeOf } from '../outcome.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { wrongChecksums } from '../torch-zip/opened.ts';

describe.each([
  ['fsdp-sharded', 'step-9'],
  ['fsdp1', 'full.pt'],
  ['fsdp1', 'sharded'],
])('%s/%s', (name, path) => {
  const expected = expectedStateOf(name).checkpoints.find((each) => each.path === path);

  it('lists what torch saved, the ranks’ shares joined', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, path));
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint).toMatchObject({ complete: true, step: expected?.step });
    // FSDP1 counts with one tensor, which its file holds once; the fixture lists one a parameter.
    const tensors = checkpoint.tensors.map((each) => {
      return each.role === 'step' ? { ...each, aliasOf: null } : each;
    });
    if (expected) compareTensors({ ...checkpoint, tensors }, expected);
    for (const one of expected?.tensors ?? []) {
      const tensor = checkpoint.tensors.find((each) => each.name === one.name);
      if (tensor) expect(await digestOf(source, tensor, 5), one.name).toBe(one.sha256);
    }
    expect(await wrongChecksums({ checkpoint, source })).toEqual([]);
    await source.close();
  });

  it('has its hyper-parameters, and a counter for every parameter', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, path));
    await source.close();
    const { parameters: owners, ...hyper } = expected?.optimizers[0]?.groups[0] ?? {};
    expect(checkpoint.optimizers).toMatchObject([{ groups: [{ hyper, keys: owners }] }]);
    const parameters = checkpoint.optimizers[0]?.parameters ?? [];
    expect(parameters.map(({ step }) => step)).toEqual(parameters.map(() => expected?.step));
  });
});

describe('FSDP over tensor parallelism, on a mesh of two by two ranks', () => {
  const [distributed, ranked] = expectedStateOf('fsdp-tp').checkpoints;

  it.each([distributed, ranked])(
    'is joined from shards of rows and of columns',
    async (expected) => {
      const path = join(fixtures, 'fsdp-tp', expected?.path ?? '');
      const { checkpoint, source } = await openCheckpoint(path);
      expect(checkpoint).toMatchObject({ complete: true, step: 5, problems: [] });
      if (expected) compareTensors(checkpoint, expected);
      for (const one of expected?.tensors ?? []) {
        const tensor = checkpoint.tensors.find((each) => each.name === one.name);
        if (tensor) expect(await digestOf(source, tensor, 5), one.name).toBe(one.sha256);
      }
      const columns = checkpoint.tensors.find(({ name }) => name === 'model.down.weight');
      expect(columns?.placement.kind).toBe('boxes');
      await source.close();
    },
  );

  it('has the same bits in both of its forms', async () => {
    const at = (path = '') => join(fixtures, 'fsdp-tp', path);
    const result = await judgePair(at(ranked?.path), at(distributed?.path));
    expect(serious(result)).toEqual([]);
    const agreed = result.coverage?.rules.find(({ rule }) => rule === 'bits-agree');
    expect(agreed?.elements).toBe(agreed?.of);
  });
});

describe('parameters of FSDP1 in one vector', () => {
  it('are joined without names, with their state', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, 'fsdp1/local'));
    const full = await openCheckpoint(join(fixtures, 'fsdp1/full.pt'));
    expect(checkpoint).toMatchObject({ complete: true, step: 3, problems: [] });
    const read = async (name: string, from: typeof full) => {
      const tensor = from.checkpoint.tensors.find((each) => each.name === name);
      return tensor ? { tensor, digest: await digestOf(from.source, tensor, 1000) } : null;
    };
    // 20 + 4 + 12 + 3 elements, and one that makes the two shares equal.
    const moments = checkpoint.tensors.find(({ name }) => name === 'optimizer.state.0.exp_avg_sq');
    expect(moments).toMatchObject({ shape: [40], role: 'second-moment', parameter: null });
    const flat = checkpoint.tensors.find(({ name }) => name === 'model._flat_param');
    expect(flat).toMatchObject({ shape: [39] });
    const first = await read('model.first.weight', full);
    const start = flat && { ...flat, shape: [20], elements: 20 };
    if (start) expect(await digestOf(source, start, 7)).toBe(first?.digest);
    await source.close();
    await full.source.close();
  });
});

describe('shares of ranks', () => {
  it('have their rank and their file', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, 'fsdp-sharded/step-9'));
    await source.close();
    const tensor = checkpoint.tensors.find(({ name }) => name === 'model.second.weight');
    if (tensor) {
      expect(locate(tensor, 17)).toMatchObject({ rank: 0, file: 'rank-0.pt' });
      expect(locate(tensor, 18)).toMatchObject({ rank: 1, file: 'rank-1.pt' });
    }
  });

  it('hold the same values as the whole that was gathered from them', async () => {
    const full = join(fixtures, 'fsdp1/full.pt');
    const result = await judgePair(join(fixtures, 'fsdp1/sharded'), full);
    expect(serious(result)).toEqual([]);
    const agreed = result.coverage?.rules.find(({ rule }) => rule === 'bits-agree');
    expect(agreed?.elements).toBe(agreed?.of);
  });

  it('with an inverted bit fail the checksum of their rank’s file', async () => {
    const folder = copyOf('fsdp-sharded/step-9');
    const { checkpoint, source } = await openCheckpoint(folder);
    await source.close();
    const name = 'optim.state.first.weight.exp_avg_sq';
    const tensor = checkpoint.tensors.find((each) => each.name === name);
    const place = tensor && locate(tensor, 40);
    const bytes = readFileSync(join(folder, place?.file ?? ''));
    const at = (place?.offset ?? 0) + 3;
    bytes[at] = (bytes[at] as number) ^ 0x40;
    writeFileSync(join(folder, 'rank-1.pt'), bytes);
    const result = await judgePair(folder, join(fixtures, 'fsdp-sharded/step-9'));
    expect(serious(result)).toContainEqual(
      expect.objectContaining({ rule: 'checksum-mismatch', file: 'rank-1.pt', tensor: name }),
    );
  });

  it('of a missing rank make the checkpoint incomplete', async () => {
    for (const file of ['rank-0.pt', 'rank-1.pt']) {
      const folder = copyOf('fsdp-sharded/step-9');
      rmSync(join(folder, file));
      const { kind, checkpoint } = await outcomeOf(folder);
      expect(kind).toBe('problem');
      expect(checkpoint?.complete).toBe(false);
      expect(checkpoint?.problems).toContainEqual(
        expect.objectContaining({ rule: 'shard-missing', kind: 'damage' }),
      );
    }
  });

  it('of two saves are told apart by their counters', async () => {
    const folder = emptyFolder();
    // FSDP1 after three steps and FSDP2 after nine have other tensors: shapes tell as well.
    cpSync(join(fixtures, 'fsdp1/sharded-rank-0.pt'), join(folder, 'rank-0.pt'));
    cpSync(join(fixtures, 'fsdp-sharded/step-9/rank-1.pt'), join(folder, 'rank-1.pt'));
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint?.complete).toBe(false);
    expect(checkpoint?.problems).toContainEqual(
      expect.objectContaining({ rule: 'shape-mismatch', file: 'rank-1.pt' }),
    );
  });
});

describe('a run folder', () => {
  it('lists the files of ranks under one prefix as one checkpoint', async () => {
    const found = await findCheckpoints(join(fixtures, 'fsdp1'));
    const names = found.map(({ path, complete }) => [path.split('/').at(-1), complete]);
    expect(names.sort()).toEqual([
      ['full.pt', true],
      ['local', true],
      ['sharded', true],
    ]);
  });
});

describe('files of ranks', () => {
  const files = (...names: string[]) => {
    return rankFilesOf(names.map((name) => ({ name, sizeBytes: 1, identity: '' })));
  };

  it('are told by their names, in any order', () => {
    const found = files('rank-10.pt', 'rank-2.pt', 'notes.txt');
    expect(found?.present.map(({ rank }) => rank)).toEqual([2, 10]);
    expect(found?.missing).toContain('rank-3.pt');
    expect(files('a/rank-0.pt')).toBeNull();
  });

  it('are no save where other checkpoints lie beside them', () => {
    expect(files('full.pt', 'rank-0.pt')).toBeNull();
    expect(files('ep1-rank0.pt', 'ep2-rank0.pt')).toBeNull();
    expect(files('rank-0.pt', 'rank-00.pt')).toBeNull();
    expect(files('crank-0.pt')).toBeNull();
    expect(files('rank-9999999.pt')).toBeNull();
  });
});
