import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hfTrainer } from '../../src/formats/hf-trainer.ts';
import { sight } from '../../src/formats/sighting.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { folderCopies, folderFormat } from './folder-format.ts';
import { floats, pickle, tensor, torchFile } from './torch-zip/archive-writer.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from './torch-zip/golden-state.ts';
import { openPath, outcomeOf, wrongChecksums } from './torch-zip/opened.ts';

const copy = folderCopies();
const { open } = folderFormat(hfTrainer);
const original = join(fixtures, 'hf-trainer/checkpoint-7');

async function sighted(folder: string) {
  const source = await openLocalSource(folder);
  return sight(source);
}

describe.each(['hf-trainer', 'hf-trainer-gpt2', 'peft-adapter'])('%s', (name) => {
  const { checkpoints } = expectedStateOf(name);

  it.each(checkpoints)('$path lists what the Trainer saved', async (expected) => {
    const opened = await openPath(join(fixtures, name, expected.path), hfTrainer);
    const { checkpoint, source } = opened;
    expect(checkpoint).toMatchObject({
      layout: 'hf-trainer',
      step: expected.step,
      complete: true,
      hasScheduler: true,
      problems: [],
    });
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const found = checkpoint.tensors.find((each) => each.name === one.name);
      if (found) expect(await digestOf(source, found, 4096), one.name).toBe(one.sha256);
    }
    expect(await wrongChecksums(opened)).toEqual([]);
    await source.close();
  });

  it.each(checkpoints)('$path has its optimizer’s groups and counters', async (expected) => {
    const checkpoint = await open(join(fixtures, name, expected.path));
    const [one] = expected.optimizers;
    const [found] = checkpoint.optimizers;
    expect(found).toMatchObject({ kind: 'adamw', prefix: '', file: 'optimizer.pt' });
    for (const [g, { parameters, ...hyper }] of (one?.groups ?? []).entries()) {
      expect(found?.groups[g]?.hyper).toEqual(hyper);
      const keys = found?.groups[g]?.keys.map((key, i) => {
        return key.startsWith('state.') ? parameters[i] : key;
      });
      expect(keys).toEqual(parameters);
    }
    expect(new Set(found?.parameters.map(({ step }) => step))).toEqual(new Set([expected.step]));
  });
});

describe('names in a sorted file', () => {
  it('are found by shape, and by number among the layers of one list', async () => {
    const checkpoint = await open(join(fixtures, 'hf-trainer-gpt2/checkpoint-3'));
    const named = checkpoint.optimizers[0]?.parameters.flatMap((p) => p.parameter ?? []);
    // The embedding and the layers' last matrices have one shape: no name for any of them.
    expect(named).toEqual([
      'transformer.wpe.weight',
      'transformer.h.0.attn.c_attn.weight',
      'transformer.h.0.attn.c_proj.weight',
      'transformer.h.0.mlp.c_fc.weight',
      'transformer.h.1.attn.c_attn.weight',
      'transformer.h.1.attn.c_proj.weight',
      'transformer.h.1.mlp.c_fc.weight',
      'transformer.h.0.attn.c_attn.bias',
      'transformer.h.0.mlp.c_fc.bias',
      'transformer.h.1.attn.c_attn.bias',
      'transformer.h.1.mlp.c_fc.bias',
    ]);
  });
});

describe('a folder', () => {
  it('is recognised by the Trainer’s state', async () => {
    const sighting = await sighted(original);
    expect(hfTrainer.recognise(sighting)).toBe('certain');
    expect(await hfTrainer.complete(sighting)).toBe(true);
    expect(await hfTrainer.step?.(sighting)).toBe(7);
  });

  it('without that state is known, and not complete', async () => {
    const folder = copy(original);
    rmSync(join(folder, 'trainer_state.json'));
    const sighting = await sighted(folder);
    expect(hfTrainer.recognise(sighting)).toBe('certain');
    expect(await hfTrainer.complete(sighting)).toBe(false);
    expect(await open(folder)).toMatchObject({
      step: null,
      complete: false,
      problems: [{ rule: 'shard-missing', kind: 'damage', file: 'trainer_state.json' }],
    });
  });

  it('of a whole run that holds checkpoints is not certainly one itself', async () => {
    const folder = copy(original);
    const run = join(folder, '..');
    for (const name of ['trainer_state.json', 'model.safetensors']) {
      cpSync(join(folder, name), join(run, name));
    }
    expect(hfTrainer.recognise(await sighted(run))).toBe('named');
  });

  it('with a cut state is damaged and not complete', async () => {
    const folder = copy(original);
    const path = join(folder, 'trainer_state.json');
    writeFileSync(path, readFileSync(path).subarray(0, 300));
    expect(await open(folder)).toMatchObject({
      complete: false,
      problems: [{ kind: 'damage', file: 'trainer_state.json' }],
    });
  });

  it('with Python’s NaN and Infinity in its log is read', async () => {
    const folder = copy(original);
    const path = join(folder, 'trainer_state.json');
    const text = readFileSync(path, 'utf8').replace(/"loss": [0-9.]+/g, '"loss": NaN');
    expect(text).toContain('NaN');
    writeFileSync(path, text.replace(/"grad_norm": [0-9.]+/, '"grad_norm": -Infinity'));
    expect(await open(folder)).toMatchObject({ step: 7, complete: true, problems: [] });
  });

  it('whose state is nested without end passes a limit', async () => {
    const deep = join(import.meta.dirname, '../fixtures/hostile/trainer-state-deep');
    expect(await outcomeOf(() => openPath(deep, hfTrainer))).toBe('limit');
  });
});

describe('files of a folder', () => {
  it.each([
    ['model.safetensors', 'shard-missing'],
    ['trainer_state.json', 'shard-missing'],
  ])('%s, removed, is damage under its name (%s)', async (file, rule) => {
    const folder = copy(original);
    rmSync(join(folder, file));
    const { problems, complete } = await open(folder);
    expect(problems).toMatchObject([{ rule, kind: 'damage', file }]);
    expect(complete).toBe(false);
  });

  it.each([
    'model.safetensors',
    'optimizer.pt',
    'scheduler.pt',
    'rng_state.pth',
    'training_args.bin',
  ])('%s, cut at every tenth, is damage under its name', async (file) => {
    const folder = copy(original);
    const whole = readFileSync(join(folder, file));
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const length = Math.floor((whole.length * tenth) / 10);
      writeFileSync(join(folder, file), whole.subarray(0, length));
      const { problems, complete } = await open(folder);
      expect(problems, `${tenth}/10`).toMatchObject([{ rule: 'file-truncated', file }]);
      expect(complete, `${tenth}/10`).toBe(false);
    }
  });

  it('that ask for code are told, whichever it is', async () => {
    const folder = copy(original);
    const call = pickle.call(pickle.global('os', 'system'), pickle.text('echo pwned'));
    writeFileSync(join(folder, 'training_args.bin'), torchFile(call));
    const { problems } = await open(folder);
    expect(problems).toMatchObject([
      { rule: 'code-in-pickle', kind: 'security', file: 'training_args.bin' },
    ]);
  });

  it('that another step left behind are worth a word', async () => {
    const folder = copy(original);
    cpSync(join(original, '../checkpoint-6/optimizer.pt'), join(folder, 'optimizer.pt'));
    const { problems } = await open(folder);
    expect(problems).toMatchObject([{ rule: 'note', kind: 'info' }]);
    expect(problems[0]?.message).toContain('7 steps, the optimizer 6');
  });

  it('in folders of DeepSpeed of which none is marked are no missing weights', async () => {
    const folder = copy(original);
    rmSync(join(folder, 'model.safetensors'));
    for (const tag of ['global_step6', 'global_step7']) {
      mkdirSync(join(folder, tag));
      writeFileSync(join(folder, tag, 'mp_rank_00_model_states.pt'), '');
    }
    expect((await open(folder)).problems).toMatchObject([{ rule: 'note', kind: 'info' }]);
  });
});

describe('weights of torch.save', () => {
  const values = floats(1, 2, 3, 4, 5, 6, 7, 8);
  const shard = (names: string[]) =>
    torchFile(
      pickle.module(
        Object.fromEntries(
          names.map((name, i) => [name, tensor([4], { count: 8, offset: 4 * i })]),
        ),
      ),
      { 0: values },
    );

  it('keep the model’s order', async () => {
    const folder = copy(original);
    rmSync(join(folder, 'model.safetensors'));
    writeFileSync(join(folder, 'pytorch_model.bin'), shard(['b.weight', 'a.weight']));
    const checkpoint = await open(folder);
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint.tensors.slice(0, 2)).toMatchObject([
      { name: 'b.weight', role: 'parameter', file: 'pytorch_model.bin' },
      { name: 'a.weight', role: 'parameter' },
    ]);
  });

  it('in shards are counted', async () => {
    const folder = copy(original);
    rmSync(join(folder, 'model.safetensors'));
    const name = (n: number) => `pytorch_model-0000${n}-of-00003.bin`;
    for (const n of [1, 2, 3]) writeFileSync(join(folder, name(n)), shard([`layer${n}.weight`]));
    expect((await open(folder)).problems).toEqual([]);
    renameSync(join(folder, name(2)), join(folder, 'elsewhere.bin'));
    expect(await open(folder)).toMatchObject({
      complete: false,
      problems: [{ rule: 'shard-missing', kind: 'damage', file: name(2) }],
    });
  });
});
