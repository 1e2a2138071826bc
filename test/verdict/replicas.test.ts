/** Copies of one step across ranks: the odd one out is named by majority, never guessed. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { flipBit } from '../../src/demo/flip-bit.ts';
import { openEngine } from '../../src/engines/choose.ts';
import { renderText } from '../../src/report/text.ts';
import { judgeReplicas } from '../../src/verdict/judge-replicas.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const original = fileURLToPath(
  new URL('../fixtures/recorded/snapshot-gan/checkpoint-000200.safetensors', import.meta.url),
);
const folder = temporaryFolder();
const fault = { tensor: 'parameter/g.2.weight', element: 321, bit: 3 };

function copy(name: string, damage: typeof fault | null = null): string {
  const path = join(folder, `${name}.safetensors`);
  if (damage) writeFileSync(path, flipBit(original, damage).bytes);
  else copyFileSync(original, path);
  return path;
}

async function judged(paths: readonly string[]) {
  const engine = await openEngine('auto');
  try {
    return await judgeReplicas(paths, engine, 'again');
  } finally {
    await engine.close();
  }
}

describe('replicas', () => {
  it('are intact where all agree', async () => {
    const result = await judged([copy('a'), copy('b'), copy('c')]);
    expect(result.verdict).toBe('intact');
    expect(result.findings).toEqual([]);
  });

  it('name the odd one by majority, with its rank and the element', async () => {
    const odd = copy('odd', fault);
    const result = await judged([copy('a'), odd, copy('c')]);
    expect(result.verdict).toBe('corrupt');
    expect(result.findings).toHaveLength(1);
    expect(result.findings?.[0]).toMatchObject({
      rule: 'bits-agree',
      rank: 1,
      file: odd,
      tensor: fault.tensor,
      element: { index: fault.element },
      count: 1,
    });
  });

  it('name a rank whose counter of steps is another', async () => {
    const counter = { tensor: 'step/g.2.weight', element: 0, bit: 20 };
    const result = await judged([copy('a'), copy('b'), copy('late', counter)]);
    expect(result.verdict).toBe('corrupt');
    expect(result.findings).toMatchObject([{ rank: 2, tensor: counter.tensor, count: 1 }]);
  });

  it('tell state beside an element that differs there too', async () => {
    const once = copy('once', fault);
    const moment = { ...fault, tensor: 'exp_avg/g.2.weight' };
    writeFileSync(once, flipBit(once, moment).bytes);
    const text = renderText(await judged([copy('a'), once, copy('c')]));
    expect(text.replaceAll(/\s+/g, ' ')).toMatch(
      / also the same rule at this element of (exp_avg|parameter)\/g\.2\.weight /,
    );
  });

  it('cannot tell which of two is right, and says so', async () => {
    const result = await judged([copy('a'), copy('odd', fault)]);
    expect(result.verdict).toBe('corrupt');
    expect(result.findings?.[0]?.message).toMatch(/no majority/);
  });
});
