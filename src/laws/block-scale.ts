/** block-scale: the scale of a quantized block is a largest size. */
import type { Element, ElementLaw, Sides } from './law.ts';

function sides(element: Element): Sides {
  return { left: -(element[0] as number), right: 0 };
}

export const blockScale: ElementLaw = {
  id: 'block-scale',
  scope: 'element',
  about: 's',
  title: 'The scale of a quantized block is not negative',
  family: 'well-formed',
  operands: ['sB'],
  statement: 'Every element of bitsandbytes’ absmax1 and absmax2 is at least 0.',
  derivation: 'It is the largest |x| of the numbers that the block had before they were quantized.',
  needs: 'quantized optimizer states of bitsandbytes',
  cost: '4 bytes a block',
  cannotSee: 'A wrong scale that is positive.',
  advice: 'Go back to the last trusted checkpoint.',
  bind: () => ({ kind: 'bound', constants: {} }),
  sides,
  explain: ({ left }) => `the scale of a block is ${-left}, which no largest size can be`,
};
