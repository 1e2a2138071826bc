import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contradictsFold, foldChecksums } from '../../../src/formats/torch-zip/serialization-id.ts';
import { fixtures } from '../golden.ts';
import { logicalBytes, type Opened, openPath, tensorOf, wrongChecksums } from './opened.ts';

const folder = join(fixtures, 'torch-vectors');

async function floatsOf(opened: Opened, name: string): Promise<number[]> {
  const bytes = await logicalBytes(opened.source, tensorOf(opened, name));
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)];
}

describe('z.pt', () => {
  it('is three views of one storage', async () => {
    const opened = await openPath(join(folder, 'z.pt'));
    expect(await floatsOf(opened, 'w')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await floatsOf(opened, 't')).toEqual([0, 3, 1, 4, 2, 5]);
    expect(await floatsOf(opened, 's')).toEqual([3, 4, 5]);
    expect(tensorOf(opened, 'w').placement).toEqual({
      kind: 'dense',
      pieces: [{ file: 'z.pt', offset: 704, elements: 6 }],
    });
    expect(opened.checkpoint.problems).toEqual([]);
    expect(await wrongChecksums(opened)).toEqual([]);
  });

  it('has the checksums and the id that torch wrote', async () => {
    const { checkpoint } = await openPath(join(folder, 'z.pt'));
    const records = checkpoint.checksums
      .filter(({ member }) => !member.endsWith('serialization_id'))
      .map(({ member, length, expected }) => ({
        name: member,
        sizeBytes: length,
        crc32: Number(expected),
      }));
    expect(records.map(({ crc32 }) => crc32)).toEqual([
      0x0d63780d, 0x83dcefb7, 0xe971773f, 0x19e33d85, 0x91e79017, 0x55679ed1,
    ]);
    expect(foldChecksums(records)).toBe(3291673488404886029n);
    const id =
      readFileSync(join(folder, 'z.pt'))
        .toString('latin1')
        .match(/[0-9]{40}/)?.[0] ?? '';
    expect(id).toBe('1572819951185464302603291673488404886029');
    expect(contradictsFold(id, records)).toBe(false);
    expect(contradictsFold(id, records.slice(1))).toBe(true);
    expect(contradictsFold('no id', records)).toBe(false);
  });
});

describe('opt.pt', () => {
  it('is AdamW with amsgrad after one step', async () => {
    const opened = await openPath(join(folder, 'opt.pt'));
    const [optimizer] = opened.checkpoint.optimizers;
    expect(optimizer?.kind).toBe('amsgrad');
    expect(optimizer?.groups[0]?.hyper).toMatchObject({ lr: 1e-3, weight_decay: 0.01 });
    expect(optimizer?.parameters.map(({ step, shape }) => ({ step, shape }))).toEqual([
      { step: 1, shape: [1, 2] },
      { step: 1, shape: [1] },
    ]);
    for (const { tensors } of optimizer?.parameters ?? []) {
      const first = await floatsOf(opened, tensors.exp_avg ?? '');
      const second = await floatsOf(opened, tensors.exp_avg_sq ?? '');
      expect(first.every((value) => value === Math.fround(0.1))).toBe(true);
      expect(second.every((value) => Math.abs(value - 0.001) < 1e-9)).toBe(true);
      expect(await floatsOf(opened, tensors.max_exp_avg_sq ?? '')).toEqual(second);
    }
  });
});

describe('evil.pt', () => {
  it('asks for a command, and is only told', async () => {
    const { checkpoint } = await openPath(join(folder, 'evil.pt'));
    expect(checkpoint.problems).toMatchObject([{ rule: 'code-in-pickle', kind: 'security' }]);
    expect(checkpoint.problems[0]?.message).toContain("posix.system('echo pwned')");
  });
});
