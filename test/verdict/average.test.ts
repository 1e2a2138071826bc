/** Averages that timm saved beside the weights: healthy ones hold, damaged ones are named. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import type { ScanOptions } from '../../src/scan/options.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Finding, Result } from '../../src/verdict/result.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const fixture = (step: number) =>
  fileURLToPath(
    new URL(`../fixtures/formats/timm-ema/checkpoint-${step}.pth.tar`, import.meta.url),
  );
const folder = temporaryFolder();
const engine = await openEngine('auto');

afterAll(() => engine.close());

function pair(base: number, head: string, options: ScanOptions = {}): Promise<Result> {
  return judge({ head, base: fixture(base), options, engine, next: 'again' });
}

const rule = (result: Result, id: string) =>
  result.coverage?.rules.find((each) => each.rule === id);

/** Checkpoint 4 with one element changed; its CRC-32 does not fit any more, which is another finding. */
async function changed(
  name: string,
  index: number,
  change: (value: number) => number,
): Promise<string> {
  const { checkpoint, source } = await openCheckpoint(fixture(4));
  await source.close();
  const tensor = checkpoint.tensors.find((each) => each.name === name);
  if (tensor?.placement.kind !== 'dense') throw new Error('the fixture has changed');
  const bytes = readFileSync(fixture(4));
  const at = (tensor.placement.pieces[0]?.offset ?? 0) + 4 * index;
  bytes.writeFloatLE(change(bytes.readFloatLE(at)), at);
  const copy = join(folder, `${name}-${index}.pth.tar`);
  writeFileSync(copy, bytes);
  return copy;
}

function proven({ findings = [] }: Result): Finding[] {
  return findings.filter(({ kind }) => kind === 'law');
}

describe('averages of timm', () => {
  it('hold one step apart: replayed where the elements tell the decay, else between', async () => {
    const result = await pair(3, fixture(4));
    expect(result).toMatchObject({ verdict: 'intact', findings: [] });
    expect(rule(result, 'replay-average')).toMatchObject({ elements: 320, of: 384 });
    expect(rule(result, 'average-between')).toMatchObject({ elements: 53, of: 53 });
  });

  it('are all replayed where the decay is declared', async () => {
    const result = await pair(3, fixture(4), { optimizer: { averageDecay: 0.9 } });
    expect(result).toMatchObject({ verdict: 'intact', findings: [] });
    expect(rule(result, 'replay-average')).toMatchObject({ elements: 373, of: 384 });
  });

  it('contradict a decay that was not used, all at once: no damage', async () => {
    const result = await pair(3, fixture(4), { optimizer: { averageDecay: 0.999 } });
    expect(result.verdict).toBe('suspect');
    expect(result.findings).toMatchObject([{ rule: 'declaration-mismatch' }]);
  });

  it('cannot be told over three steps, which coverage says', async () => {
    const unknown = [{ reason: 'more than one step between the checkpoints', elements: 373 }];
    expect(rule(await pair(4, fixture(7)), 'average-between')).toMatchObject({ unknown });
  });

  it('name the element that a flip of bit 12 moved', async () => {
    const flip = (value: number) => {
      const word = new DataView(new ArrayBuffer(4));
      word.setFloat32(0, value);
      word.setUint32(0, word.getUint32(0) ^ (1 << 12));
      return word.getFloat32(0);
    };
    const findings = proven(await pair(3, await changed('state_dict_ema.head.weight', 7, flip)));
    expect(findings).toMatchObject([
      {
        ...{ rule: 'replay-average', role: 'average', parameter: 'state_dict.head.weight' },
        ...{ element: { index: 7, coordinates: [0, 7] }, count: 1, bits: { flip: 12 } },
      },
    ]);
  });

  it('name the element of a small average that left what it averages', async () => {
    const head = await changed('state_dict_ema.head.bias', 2, (value) => value + 0.1);
    expect(proven(await pair(3, head))).toMatchObject([
      { rule: 'average-between', element: { index: 2 }, tensor: 'state_dict_ema.head.bias' },
    ]);
  });
});
