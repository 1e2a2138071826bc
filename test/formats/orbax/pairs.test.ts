/** Pairs of Orbax checkpoints: the hyper-parameters are in no file, so they are declared. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../../src/engines/choose.ts';
import type { Engine } from '../../../src/engines/engine.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { judge } from '../../../src/verdict/judge.ts';
import type { Result } from '../../../src/verdict/result.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { fixtures } from '../golden.ts';
import { logicalBytes } from '../torch-zip/opened.ts';

const temporary = temporaryFolder();
let engine: Engine;

beforeAll(async () => {
  engine = await openEngine('auto');
});

afterAll(() => engine.close());

const optimizer = { kind: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.001 };

function validate(base: string, head: string): Promise<Result> {
  return judge({ head, base, options: { optimizer }, engine, next: '' });
}

const step = (name: string) => join(fixtures, name);

describe('a healthy pair', () => {
  const always = ['moment-bound', 'moment-increment'];

  it.each([
    ['orbax-ocdbt/step-4', 'orbax-ocdbt/step-5', [...always, 'replay-moments']],
    ['orbax-ocdbt/step-5', 'orbax-ocdbt/step-9', always],
    ['orbax-ocdbt/step-4', 'orbax-zarr2/step-5', [...always, 'replay-moments']],
    ['orbax-ocdbt/step-4', 'orbax-zarr3/step-5', [...always, 'replay-moments']],
    ['orbax-ocdbt-zarr3/step-5', 'orbax-ocdbt/step-9', always],
  ])('%s to %s is intact, and %j judged all of it', async (base, head, rules) => {
    const result = await validate(step(base), step(head));
    expect(result).toMatchObject({ verdict: 'intact', findings: [] });
    for (const rule of rules) {
      const covered = result.coverage?.rules.find((each) => each.rule === rule);
      expect([rule, covered?.elements, covered?.of]).toEqual([rule, 66, 66]);
    }
  });

  it('of SGD inside an accumulator is quiet', async () => {
    const result = await validate(step('orbax-manager/7'), step('orbax-manager/8'));
    expect(result.findings).toEqual([]);
  });
});

/** A zstd frame of one raw block. */
function frame(bytes: Uint8Array): Buffer {
  const header = Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length);
  const block = Buffer.alloc(3);
  block.writeUIntLE((bytes.length << 3) | 1, 0, 3);
  return Buffer.concat([header, block, bytes]);
}

describe('one exponent bit of a second moment', () => {
  it('is proven wrong, and shown at its element', async () => {
    const head = join(temporary, 'step-5');
    cpSync(step('orbax-zarr2/step-5'), head, { recursive: true });
    const name = 'opt_state.0.nu.dense_0.kernel';
    const { checkpoint, source } = await openCheckpoint(head);
    const tensor = checkpoint.tensors.find((each) => each.name === name);
    if (!tensor) throw new Error('the fixture has changed');
    const bytes = await logicalBytes(source, tensor);
    await source.close();
    // Bit 29 of element 9, a second moment below 1: its exponent grows by 64.
    bytes[4 * 9 + 3] = (bytes[4 * 9 + 3] as number) ^ 0x20;
    writeFileSync(join(head, name, '0.0'), frame(bytes));
    const { verdict, findings = [] } = await validate(step('orbax-ocdbt/step-4'), head);
    expect(verdict).toBe('corrupt');
    expect(findings[0]).toMatchObject({
      certainty: 'confirmed',
      tensor: name,
      element: { index: 9, coordinates: [1, 2] },
    });
  });

  it('as a chunk that no longer decodes is damage', async () => {
    const head = join(temporary, 'cut');
    cpSync(step('orbax-zarr2/step-5'), head, { recursive: true });
    const name = 'opt_state.0.nu.dense_0.kernel';
    writeFileSync(join(head, name, '0.0'), frame(new Uint8Array(140)).subarray(0, 60));
    const { verdict, findings = [] } = await validate(step('orbax-ocdbt/step-4'), head);
    expect(verdict).toBe('corrupt');
    expect(findings).toMatchObject([
      { rule: 'encoding-invalid', kind: 'structure', file: `${name}/0.0` },
    ]);
  });
});
