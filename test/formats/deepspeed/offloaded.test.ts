import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deepspeed } from '../../../src/formats/deepspeed/deepspeed.ts';
import { folderFormat, told } from '../folder-format.ts';
import { fixtures } from '../torch-zip/golden-state.ts';

const { open } = folderFormat(deepspeed);

it('vectors that ZeRO-Infinity left on NVMe are no damage, and are said not to be read', async () => {
  const checkpoint = await open(join(fixtures, 'deepspeed-nvme/global_step3'));
  expect(told(checkpoint)).toEqual([]);
  const notes = checkpoint.problems.filter(({ message }) => message.includes('offloaded_tensors'));
  expect(notes).toMatchObject([{ rule: 'note', kind: 'info' }]);
});
