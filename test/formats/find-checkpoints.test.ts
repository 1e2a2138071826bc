import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCheckpoints, isRunFolder } from '../../src/formats/find-checkpoints.ts';
import { stepInName } from '../../src/formats/step-in-name.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { fixtures } from './golden.ts';

const folder = temporaryFolder();
const weights = join(fixtures, 'safetensors-tied/model.safetensors');
const recorded = join(import.meta.dirname, '../fixtures/runs/snapshot-gan');

function run(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

async function names(path: string): Promise<string[]> {
  return (await findCheckpoints(path)).map((found) => basename(found.path));
}

describe('a run folder', () => {
  it('lists files and folders that are checkpoints, and nothing else', async () => {
    const path = run('mixed');
    copyFileSync(weights, join(path, 'checkpoint-20.safetensors'));
    copyFileSync(weights, join(path, 'checkpoint-3.safetensors'));
    cpSync(join(fixtures, 'safetensors-sharded'), join(path, 'checkpoint-100'), {
      recursive: true,
    });
    mkdirSync(join(path, 'checkpoint-7'));
    copyFileSync(weights, join(path, 'checkpoint-7/model.safetensors'));
    mkdirSync(join(path, 'logs'));
    writeFileSync(join(path, 'logs/events.txt'), 'x');
    writeFileSync(join(path, 'metrics.jsonl'), '{"step": 1}\n');
    writeFileSync(join(path, 'noise.bin'), Buffer.from([1, 200, 3, 250, 9]));
    writeFileSync(
      join(path, 'pointer.safetensors'),
      'version https://git-lfs.github.com/spec/v1\n',
    );
    const found = await findCheckpoints(path);
    expect(found.map((one) => [one.path, one.stepHint, one.complete])).toEqual([
      [join(path, 'checkpoint-3.safetensors'), 3, true],
      [join(path, 'checkpoint-7'), 7, true],
      [join(path, 'checkpoint-20.safetensors'), 20, true],
      [join(path, 'checkpoint-100'), 100, true],
    ]);
    expect(await isRunFolder(path)).toBe(true);
  });

  it.skipIf(process.getuid?.() === 0)(
    'lists what may not be read and is named like a checkpoint',
    async () => {
      const path = run('refused');
      copyFileSync(weights, join(path, 'checkpoint-3.safetensors'));
      copyFileSync(weights, join(path, 'checkpoint-9.safetensors'));
      copyFileSync(weights, join(path, 'notes.txt'));
      mkdirSync(join(path, 'checkpoint-20'));
      mkdirSync(join(path, 'lost+found'));
      for (const name of ['checkpoint-9.safetensors', 'notes.txt', 'checkpoint-20', 'lost+found']) {
        chmodSync(join(path, name), 0o000);
      }
      const found = await findCheckpoints(path);
      expect(found.map((one) => [basename(one.path), one.stepHint, one.complete])).toEqual([
        ['checkpoint-3.safetensors', 3, true],
        ['checkpoint-9.safetensors', 9, true],
        ['checkpoint-20', 20, true],
      ]);
    },
  );

  it('does not list what is being written under a temporary name', async () => {
    const path = run('temporary');
    for (const name of [
      '.tmpAbC123',
      '.hidden.safetensors',
      'checkpoint-5.safetensors.tmp',
      'checkpoint-5.safetensors.part',
      'checkpoint-5.safetensors.incomplete',
    ]) {
      copyFileSync(weights, join(path, name));
    }
    mkdirSync(join(path, 'tmp-checkpoint-5'));
    copyFileSync(weights, join(path, 'tmp-checkpoint-5/model.safetensors'));
    expect(await names(path)).toEqual([]);
    expect(await isRunFolder(path)).toBe(false);
  });

  it('says of each whether it is complete, and one bad candidate stops nothing', async () => {
    const path = run('damaged');
    copyFileSync(weights, join(path, 'checkpoint-1.safetensors'));
    writeFileSync(join(path, 'checkpoint-2.safetensors'), '');
    writeFileSync(join(path, 'checkpoint-3.safetensors'), Buffer.alloc(4096));
    writeFileSync(join(path, 'checkpoint-4.safetensors'), Buffer.from('\x80\x03\0\0\0\0\0\0{"a":'));
    const deep = Buffer.from(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(deep.length));
    writeFileSync(join(path, 'checkpoint-5.safetensors'), Buffer.concat([length, deep]));
    symlinkSync(join(path, 'gone'), join(path, 'checkpoint-6.safetensors'));
    cpSync(join(fixtures, 'safetensors-sharded'), join(path, 'checkpoint-7'), {
      recursive: true,
      filter: (file) => !file.includes('00002-of'),
    });
    const found = await findCheckpoints(path);
    expect(found.map((one) => [one.stepHint, one.complete])).toEqual([
      [1, true],
      [2, false],
      [3, false],
      [4, false],
      [5, true],
      [7, false],
    ]);
  });

  it('takes the step of a snapshot from inside', async () => {
    const path = run('snapshots');
    copyFileSync(join(recorded, 'checkpoint-000201.safetensors'), join(path, 'a-1.safetensors'));
    copyFileSync(join(recorded, 'checkpoint-000200.safetensors'), join(path, 'b-2.safetensors'));
    const found = await findCheckpoints(path);
    expect(found.map((one) => [basename(one.path), one.stepHint])).toEqual([
      ['b-2.safetensors', 200],
      ['a-1.safetensors', 201],
    ]);
  });

  it('places names without a number by the time of their last write', async () => {
    const path = run('times');
    const write = (name: string, seconds: number) => {
      copyFileSync(weights, join(path, name));
      utimesSync(join(path, name), seconds, seconds);
    };
    write('checkpoint-1.safetensors', 1000);
    write('checkpoint-2.safetensors', 2000);
    write('checkpoint-3.safetensors', 3000);
    write('best.safetensors', 2500);
    write('first.safetensors', 500);
    write('last.safetensors', 9000);
    expect(await names(path)).toEqual([
      'first.safetensors',
      'checkpoint-1.safetensors',
      'checkpoint-2.safetensors',
      'best.safetensors',
      'checkpoint-3.safetensors',
      'last.safetensors',
    ]);
  });

  it('lists a checkpoint once, whatever links point to it', async () => {
    const path = run('links');
    mkdirSync(join(path, 'checkpoint-5'));
    copyFileSync(weights, join(path, 'checkpoint-5/model.safetensors'));
    symlinkSync('checkpoint-5', join(path, 'best'));
    copyFileSync(weights, join(path, 'checkpoint-6.safetensors'));
    symlinkSync('checkpoint-6.safetensors', join(path, 'a-last.safetensors'));
    expect(await names(path)).toEqual(['checkpoint-5', 'checkpoint-6.safetensors']);
  });

  it('changes an identity when any file of the checkpoint changes', async () => {
    const path = run('identity');
    mkdirSync(join(path, 'checkpoint-5'));
    copyFileSync(weights, join(path, 'checkpoint-5/model.safetensors'));
    const identity = async () => (await findCheckpoints(path))[0]?.identity;
    const before = await identity();
    expect(await identity()).toBe(before);
    writeFileSync(join(path, 'checkpoint-5/config.json'), '{}');
    const between = await identity();
    expect(between).not.toBe(before);
    utimesSync(join(path, 'checkpoint-5/model.safetensors'), 1, 1);
    expect(await identity()).not.toBe(between);
  });

  it('is not a checkpoint, a shard’s folder or an empty folder', async () => {
    expect(await isRunFolder(join(fixtures, 'safetensors-sharded'))).toBe(false);
    expect(await isRunFolder(weights)).toBe(false);
    expect(await isRunFolder(run('empty'))).toBe(false);
    const one = run('one');
    copyFileSync(weights, join(one, 'model.safetensors'));
    expect(await isRunFolder(one)).toBe(false);
  });

  it('may hold final weights beside its checkpoints', async () => {
    const path = run('output');
    copyFileSync(weights, join(path, 'model.safetensors'));
    mkdirSync(join(path, 'checkpoint-5'));
    copyFileSync(weights, join(path, 'checkpoint-5/model.safetensors'));
    expect(await isRunFolder(path)).toBe(true);
  });
});

describe('checkpoints whose files lie deeper than their folder', () => {
  it('are found where the folder’s name counts', async () => {
    const found = await findCheckpoints(join(fixtures, 'megatron-legacy'));
    expect(found.map((one) => [basename(one.path), one.stepHint, one.complete])).toEqual([
      ['iter_0000012', 12, true],
      ['iter_0000013', 13, true],
    ]);
    expect(await isRunFolder(join(fixtures, 'megatron-legacy'))).toBe(true);
  });

  it('are what the deeper files say, whatever lies on top', async () => {
    const found = await findCheckpoints(join(fixtures, 'deepspeed-universal/stage1'));
    expect(found.map((one) => [basename(one.path), one.complete])).toEqual([
      ['global_step5_universal', true],
      ['global_step6_universal', true],
    ]);
  });

  it('are not yet there while NeMo’s marker lies beside them', async () => {
    const path = run('nemo');
    for (const step of [12, 13]) {
      const weights = join(fixtures, `megatron-torch-dist/iter_00000${step}`);
      cpSync(weights, join(path, `model-step=${step}`, 'weights'), { recursive: true });
    }
    writeFileSync(join(path, 'model-step=13-unfinished'), '');
    const found = await findCheckpoints(path);
    expect(found.map((one) => [basename(one.path), one.stepHint, one.complete])).toEqual([
      ['model-step=12', 12, true],
      ['model-step=13', 13, false],
    ]);
  });
});

describe('the step in a name', () => {
  it.each([
    ['checkpoint-000050.safetensors', 50],
    ['checkpoint-500', 500],
    ['checkpoint_3', 3],
    ['step_1000.pt', 1000],
    ['global_step12', 12],
    ['epoch=3-step=500.ckpt', 500],
    ['epoch=3-step=500-v1.ckpt', 500],
    ['iter_0000013', 13],
    ['ep2-ba100-rank0.pt', 100],
    ['model_epoch7.pth', 7],
    ['model-12-0.2531.pth.tar', 12],
    ['ckpt-2026-11-21-40.pt', 40],
    ['weights.17.pt', 17],
    ['best.pt', null],
    ['last.ckpt', null],
  ])('%s is %s', (name, step) => {
    expect(stepInName(name)).toBe(step);
  });
});
