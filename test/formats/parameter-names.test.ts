import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { parseNames, withNames } from '../../src/formats/parameter-names.ts';
import { judge } from '../../src/verdict/judge.ts';
import { expectedOf, fixtures } from './golden.ts';

interface Truth {
  readonly path: string;
  readonly optimizers: readonly { readonly groups: readonly { parameters: string[] }[] }[];
}

/** What the trainer held when it saved: the order that its safetensors file lost. */
const expected = expectedOf('hf-trainer');
const truth = expected.checkpoints.find(({ path }) => path === 'checkpoint-7') as
  | (Truth & (typeof expected.checkpoints)[number])
  | undefined;
const groups = truth?.optimizers[0]?.groups.map(({ parameters }) => parameters) ?? [];
const head = join(fixtures, 'hf-trainer/checkpoint-7');
const base = join(fixtures, 'hf-trainer/checkpoint-6');

function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

describe('a file of names', () => {
  it('gives every state the owner that the trainer says it has', async () => {
    const { checkpoint, source } = await openCheckpoint(head);
    const open = checkpoint.optimizers[0]?.parameters.filter(({ parameter }) => !parameter);
    expect(open?.length).toBeGreaterThan(0);
    const named = withNames(checkpoint, parseNames(bytesOf(groups), 'n.json'), 'n.json');
    await source.close();
    for (const want of truth?.tensors ?? []) {
      const tensor = named.tensors.find(({ name }) => name === want.name);
      if (want.parameter !== null) expect(tensor?.parameter, want.name).toBe(want.parameter);
    }
    const keys = named.optimizers[0]?.groups.map((group) => group.keys);
    expect(keys).toEqual(groups);
  });

  it('lets every law run that the lost order kept from it', async () => {
    const engine = await openReferenceEngine();
    const names = { names: parseNames(bytesOf(groups), 'n.json'), from: 'n.json' };
    const request = { head, base, engine, next: 'laika validate', listTensors: false };
    const result = await judge({ ...request, options: { names } });
    expect(result.findings).toEqual([]);
    for (const id of ['moment-increment', 'replay-weights', 'replay-moments']) {
      const rule = result.coverage?.rules.find((each) => each.rule === id);
      expect(rule?.elements, id).toBe(rule?.of);
    }
  });

  it.each([
    ['no JSON', Buffer.from('{'), /no JSON/],
    ['no lists', bytesOf({ a: 1 }), /no list/],
    ['numbers', bytesOf([[1, 2]]), /no list/],
    ['nothing', bytesOf([]), /no list/],
  ])('is refused where it holds %s', (_, bytes, reason) => {
    expect(() => parseNames(bytes, 'n.json')).toThrow(reason);
  });

  it('is refused where groups, their sizes, shapes or known owners say otherwise', async () => {
    const { checkpoint, source } = await openCheckpoint(head);
    await source.close();
    const apply = (names: string[][]) => () =>
      withNames(checkpoint, parseNames(bytesOf(names), 'n.json'), 'n.json');
    const [matrices = [], norms = []] = groups;
    expect(apply([matrices])).toThrow(/2 groups/);
    expect(apply([matrices.slice(1), norms])).toThrow(/group 0 has/);
    expect(apply([[...matrices].reverse(), norms])).toThrow(/shape of|is not the state of/);
    expect(apply([matrices, norms])).not.toThrow();
  });
});
