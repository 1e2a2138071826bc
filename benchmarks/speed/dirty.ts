/** What do odd numbers cost? */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, commands, middleOf, rows, target } from './answer.ts';
import { compete, run } from './measure.ts';
import { laika, type Setting } from './setting.ts';
import { writeTensors } from './write-tensors.ts';

/** What odd numbers cost: NaN in every block, random bits, nine of ten zero, subnormal numbers. */
export async function dirtySpeeds(setting: Setting): Promise<Answer> {
  const kinds = ['clean', 'dirty-nan', 'dirty-random', 'dirty-zeros', 'dirty-denormal'];
  const path = (kind: string) => join(setting.data, `${kind}.safetensors`);
  for (const kind of kinds) {
    const small = join(setting.data, `small-${kind}.safetensors`);
    writeTensors(small, path(kind), 4 * 2 ** 20);
    const inspect = (engine: string) =>
      run(`${laika} inspect ${small} --output json --reproducible --exit-zero --engine ${engine}`);
    const [found, expected] = [await inspect('wasm'), await inspect('reference')];
    if (found.output !== expected.output) throw new Error(`${kind}: the engines differ`);
  }
  const measured = await compete(
    kinds.map((kind) => ({
      name: kind,
      command: `${laika} validate ${path(kind)} --exit-zero > /dev/null`,
    })),
    setting.rounds,
  );
  const { size } = statSync(path('clean'));
  const worst = Math.max(...kinds.slice(1).map((kind) => middleOf(measured, kind, 'cpu')));
  const found = middleOf(measured, 'clean', 'cpu') / worst;
  const text = `${rows(measured, () => size)}\n\n${commands(measured, setting)}`;
  return { text, targets: [target('dirty / clean, CPU-second', 1 / 3, found)] };
}
