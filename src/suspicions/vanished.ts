/** vanished-tensor, vanished-block: numbers became zeros. */
import type { ExactRule } from './exact-rule.ts';

const nothing = { lanes: [], planes: [] } as const;

/** A tensor as a whole. */
export const vanishedTensor: ExactRule = {
  id: 'vanished-tensor',
  title: 'A whole tensor became zero',
  family: 'statistics',
  actInGroups: ['first', 'second'],
  statement: 'Every element is ±0, and some element was not at the last trusted checkpoint.',
  means: 'The tensor was lost, or its state was reset.',
  catches: 'Unwritten buffers, lost shards, optimizer state of one parameter that was reset.',
  quiet:
    'A new optimizer zeroes all moments at once: told once, as info. Weights have no such ' +
    'excuse. Tensors that were always zero never fire.',
  needs: 'the tensor one trusted checkpoint earlier',
  cost: 'none beside the summary',
  judge: ({ record, now, before }) =>
    now.blank && !before.blank && record.elements > 0
      ? {
          ...nothing,
          value: record.elements,
          reference: 0,
          message:
            `all ${record.elements.toLocaleString('en-US')} elements are zero; ` +
            'they were not before',
        }
      : null,
};

/** Parts of a tensor. */
export const vanishedBlock: ExactRule = {
  id: 'vanished-block',
  title: 'A block of 1,024 elements became zero',
  family: 'statistics',
  actInGroups: ['weight', 'first', 'second', 'buffer'],
  statement:
    'More whole blocks of 1,024 consecutive elements are all ±0 than at the last trusted ' +
    'checkpoint.',
  means: 'A page was never written, or was lost.',
  catches: 'Zeroed memory pages and file-system holes (an fp32 page is 1,024 elements).',
  quiet:
    'Pruning masks zero many tensors at once: told once, as info. First moments of rows ' +
    'without gradients underflow to 0 after many steps: not judged once k · log2(1/β₁) passes ' +
    '100.',
  needs:
    'the tensor one trusted checkpoint earlier; two blocks; for first moments β₁ and the steps ' +
    'between',
  cost: 'none beside the summary',
  judge: ({ now, before, mayUnderflow }) => {
    // A tensor without any number left is told by vanished-tensor, once.
    if (now.blank || mayUnderflow || !(now.zeroBlocks > before.zeroBlocks)) return null;
    return {
      ...nothing,
      value: now.zeroBlocks,
      reference: before.zeroBlocks,
      message:
        `blocks of 1,024 elements that are all zero: ${now.zeroBlocks}; ` +
        `in the checkpoint before: ${before.zeroBlocks}`,
    };
  },
};
