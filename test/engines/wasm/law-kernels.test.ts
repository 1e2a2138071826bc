import { describe, expect, it } from 'vitest';
import { elementKernels, lineKernels } from '../../../src/engines/wasm/law-kernels.ts';
import { sweptLaw } from '../../../src/laws/laws.ts';
import { lawContext } from '../../laws/judge-arrays.ts';

const one = {
  ...{ beta1: 0.9, beta2: 0.999, weightDecay: 0, rates: [1e-3, 1e-3], rate: 1e-3 },
  ...{ stepBase: 1, stepHead: 2 },
};

const contexts = [one, { ...one, kind: 'amsgrad' }, { ...one, kind: 'lion' }].map(lawContext);

describe('the table of law kernels', () => {
  it.each([...elementKernels, ...lineKernels])(
    'names the constants and operands of %s',
    (id, kernel) => {
      const law = sweptLaw(id);
      const bindings = contexts.map((context) => law.bind(context));
      const bound = bindings.find((binding) => binding.kind === 'bound');
      expect(Object.keys(bound?.constants ?? {}).sort()).toEqual([...kernel.constants].sort());
      expect(kernel.operands).toEqual(law.operands);
    },
  );
});
