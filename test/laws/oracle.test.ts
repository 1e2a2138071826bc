/** The laws against the NumPy oracle, on committed vectors (test/fixtures/laws/make.py). */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Operand } from '../../src/laws/law.ts';
import { sweptLaw } from '../../src/laws/laws.ts';
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
  if (record.worst?.index === want.index) return null;
  // Another element is right only where both are equally bad up to the last bits of float64.
  const at = want.index as number;
  const values = law.operands.map((operand) => arrays[operand]?.[at] ?? Number.NaN);
  const { left, right } = law.sides(values, constants);
  return Math.abs(ratioOf(left, right) - mine) <= 1e-6 * mine ? null : 'another element';
}

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
