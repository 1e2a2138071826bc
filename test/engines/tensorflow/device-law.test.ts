import { expect, it } from 'vitest';
import { DeviceLaw } from '../../../src/engines/tensorflow/device-law.ts';
import { DeviceStream, Staging } from '../../../src/engines/tensorflow/device-stream.ts';
import { type LawFormula, lawFormulas } from '../../../src/engines/tensorflow/law-formulas.ts';
import { Models } from '../../../src/engines/tensorflow/models.ts';
import type { ElementLaw } from '../../../src/laws/law.ts';
import { momentBound } from '../../../src/laws/moment-bound.ts';
import { interpreter } from './interpreter.ts';

const rows = 40;
const elements = rows * 1024;

/** moment-bound on the interpreter, and how many elements the host was asked about. */
async function judge(mB: Float32Array, vB: Float32Array) {
  let asked = 0;
  const law: ElementLaw = {
    ...momentBound,
    sides: (element, constants) => {
      asked += 1;
      return momentBound.sides(element, constants);
    },
  };
  const constants = { constant: 2, finite: 1, firstDrift: 0, secondDrift: 0, cast: 0 };
  const models = new Models(interpreter);
  const staging = await Staging.open(interpreter);
  const formula = lawFormulas.get('moment-bound')?.[0] as LawFormula;
  const screen = await models.screen('f32');
  const streams = new Map(
    Object.entries({ mB, vB }).map(([operand, values], slot) => {
      const stream = new DeviceStream({ type: 'f32', elements, slot }, staging, screen);
      stream.load({ first: 0, count: elements }, new Uint8Array(values.buffer));
      return [operand as 'mB' | 'vB', stream];
    }),
  );
  const run = await models.law(formula, ['f32', 'f32']);
  const bound = { law: law.id, constants };
  const deviceLaw = new DeviceLaw({ law, bound, formula, streams, run });
  deviceLaw.add({ first: 0, count: elements });
  return { record: deviceLaw.record, asked };
}

/** m²/v falls from row to row, so only the first row can hold the worst element. */
function healthy(): { m: Float32Array; v: Float32Array } {
  const m = Float32Array.from({ length: elements }, (_, i) => 0.5 ** Math.floor(i / 1024 / 4));
  return { m, v: new Float32Array(elements).fill(4) };
}

it('takes the device’s word for rows that it proves healthy', async () => {
  const { m, v } = healthy();
  const { record, asked } = await judge(m, v);
  expect(record).toMatchObject({ judged: elements, broken: 0, notFinite: 0, worst: { index: 0 } });
  // The four rows that share the largest ratio.
  expect(asked).toBe(4 * 1024);
});

it.each([
  ['a broken element', 100, { judged: elements, broken: 1, notFinite: 0 }],
  ['a NaN', Number.NaN, { judged: elements - 1, broken: 0, notFinite: 1 }],
  ['a subnormal', 1e-40, { judged: elements, broken: 0, notFinite: 0 }],
  ['an element just below the limit', 2.828427, { judged: elements, broken: 0, notFinite: 0 }],
])('judges the row of %s itself', async (_, value, expected) => {
  const { m, v } = healthy();
  m[33 * 1024 + 5] = value;
  const { record, asked } = await judge(m, v);
  expect(record).toMatchObject(expected);
  expect(asked).toBeGreaterThanOrEqual(4 * 1024 + 1024 - 1);
  expect(asked).toBeLessThanOrEqual(6 * 1024);
});
