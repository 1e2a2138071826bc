/** The laws against the NumPy oracle, on committed vectors (test/fixtures/laws/make.py). */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { ElementLaw, LineLaw, Operand } from '../../src/laws/law.ts';
import { laws, sweptLaw } from '../../src/laws/laws.ts';
import { subjects } from '../../src/laws/state-progress.ts';
import { ratioOf } from '../../src/records/law-record.ts';
import { decodeNumber } from '../../src/records/numbers.ts';
import { judgeArrays, lawContext } from './judge-arrays.ts';

interface Vector {
  readonly law: string;
  readonly context: Record<string, unknown>;
  readonly arrays: Partial<Record<Operand, string>>;
  readonly want: Record<string, unknown> & { status: string; checked: number; broken: number };
}

const vectors: Vector[] = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/laws/vectors.json.gz', import.meta.url))).toString(),
);

function floats(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function check(vector: Vector): string | null {
  const law = sweptLaw(vector.law);
  const binding = law.bind(lawContext(vector.context));
  const { want } = vector;
  if (binding.kind === 'unknown') return want.status === 'inconclusive' ? null : binding.reason;
  const subject = subjects.indexOf(vector.context.subject as 'w' | 'm' | 'v');
  const constants = subject < 0 ? binding.constants : { ...binding.constants, subject };
  const arrays = Object.fromEntries(
    Object.entries(vector.arrays).map(([name, text]) => [name, floats(text)]),
  );
  const record = judgeArrays(law, constants, arrays);
  const status = record.judged === 0 ? 'inconclusive' : record.broken > 0 ? 'broken' : 'holds';
  if (status !== want.status) return `${status}, the oracle says ${want.status}`;
  if (status === 'inconclusive') return null;
  const unit = law.scope === 'line' ? 16 : 1;
  if (record.judged !== want.checked * unit) return `judged ${record.judged} of ${want.checked}`;
  if (record.broken !== want.broken) return `${record.broken} broken of ${want.broken}`;
  if (vector.context.ratio === 'any') return null;
  const ratio = decodeNumber(want.ratio) as number;
  if (law.scope === 'line') {
    return status === 'broken' && record.worst?.index !== want.index ? 'another line' : null;
  }
  const mine = record.worst?.ratio as number;
  const near = mine === ratio || Math.abs(mine - ratio) <= 1e-6 * Math.abs(ratio);
  if (!near) return `worst ratio ${mine}, the oracle says ${ratio}`;
  // A ratio of exactly 0 says nothing about an index.
  if (record.worst?.index === want.index || mine === 0) return null;
  // Another element is right only where both are equally bad up to the last bits of float64.
  const at = want.index as number;
  const values = law.operands.map((operand) => arrays[operand]?.[at] ?? Number.NaN);
  const { left, right } = law.sides(values, constants);
  return Math.abs(ratioOf(left, right) - mine) <= 1e-6 * mine ? null : 'another element';
}

/** They ask for a sign alone. */
const signs: ReadonlySet<string> = new Set(['running-variance', 'block-scale']);

describe('every law at its bound', () => {
  const swept = laws.filter(({ scope, id }) => scope === 'element' && !signs.has(id));

  it.each(swept.map(({ id }) => [id]))(
    '%s: holds a thousandth below, breaks a thousandth above',
    (id) => {
      const edges = vectors.filter(({ law, context }) => law === id && context.edge !== undefined);
      expect(new Set(edges.map(({ want }) => want.status))).toEqual(new Set(['holds', 'broken']));
      expect(edges.map(check).filter((why) => why !== null)).toEqual([]);
    },
  );
});

describe('what a law needs and does not get', () => {
  const known = {
    kind: 'adamw',
    beta1: 0.9,
    beta2: 0.999,
    stepBase: 7,
    stepHead: 8,
    rates: [1e-3, 1e-3],
    rate: 1e-3,
    averaging: { share: [0.1, 0.1] },
    hyper: { weight_decay: 0, momentum: 0.9, nesterov: false, dampening: 0, alpha: 0.99 },
  };
  const kindOf = (law: ElementLaw | LineLaw) =>
    law.scope === 'element' && law.kinds ? ([...law.kinds][0] as string) : 'adamw';
  const swept = laws.filter((law): law is ElementLaw | LineLaw => law.scope !== 'record');

  it.each(swept.map((law) => [law.id, law] as const))(
    '%s: says unknown, with the reason',
    (id, law) => {
      const told = { ...known, kind: kindOf(law) };
      expect(law.bind(lawContext(told)).kind).toBe('bound');
      if (signs.has(id)) return;
      const missing = [
        { kind: null, hyper: {} },
        { stepHead: null, stepBase: null, beta1: null, beta2: null },
        { stepBase: 9 },
      ];
      const refused = missing.map((gap) => law.bind(lawContext({ ...told, ...gap })));
      const reasons = refused.flatMap((binding) =>
        binding.kind === 'unknown' ? [binding.reason] : [],
      );
      expect(reasons.length).toBeGreaterThan(0);
      for (const reason of reasons) expect(reason).toMatch(/\w{3,}/);
      // Constants of a law that is bound are numbers: nothing unknown was computed with.
      for (const binding of refused) {
        if (binding.kind === 'bound')
          expect(Object.values(binding.constants).some(Number.isNaN)).toBe(false);
      }
    },
  );
});

describe('laws against the oracle', () => {
  for (const law of new Set(vectors.map((vector) => vector.law))) {
    it(`${law}: same verdict, counts and worst element on every vector`, () => {
      const mine = vectors.filter((vector) => vector.law === law);
      const statuses = new Set(mine.map((vector) => vector.want.status));
      expect(statuses.has('holds') && statuses.has('broken')).toBe(true);
      const wrong = mine.flatMap((vector) => {
        const why = check(vector);
        return why === null ? [] : [`${JSON.stringify(vector.context)}: ${why}`];
      });
      expect(wrong).toEqual([]);
    });
  }
});
