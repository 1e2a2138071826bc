/** How fast is one large file summarised, against what else reads or sums it? */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Answer, commands, numpy, ratio, rows, type Target, target } from './answer.ts';
import { type Contender, compete, run } from './measure.ts';
import { laika, type Setting } from './setting.ts';
import { writeTensors } from './write-tensors.ts';

const statistics = ['nan', 'inf', 'zero', 'min', 'max', 'mean', 'std', 'l2'] as const;

type Listed = { tensors: Record<string, unknown>[] };

/** Laika's engine says what the reference engine says, and what NumPy says. */
async function verifyScan(file: string, small: string, setting: Setting): Promise<void> {
  const inspect = async (path: string, flags: string) => {
    const { output } = await run(`${laika} inspect ${path} --output json --reproducible ${flags}`);
    return JSON.parse(output) as Listed;
  };
  const expected = await inspect(small, '--engine reference');
  for (const threads of [1, 2]) {
    const found = await inspect(small, `--threads ${threads}`);
    if (!isDeepStrictEqual(found, expected)) throw new Error(`${small}: the engines differ`);
  }
  const { output } = await run(numpy('scan_numpy.py', `chunked ${file}`, setting));
  const sums = JSON.parse(output) as number[][];
  const listed = await inspect(file, '');
  for (const [i, tensor] of listed.tensors.entries()) {
    for (const [j, name] of statistics.entries()) {
      const [found, theirs] = [Number(tensor[name]), sums[i]?.[j] as number];
      if (!(Math.abs(found - theirs) <= 1e-9 * Math.max(1, Math.abs(theirs))))
        throw new Error(`${file}: ${name} of tensor ${i} is ${found}; NumPy says ${theirs}`);
    }
  }
}

/** Summary of one large file of one type, against what else reads or sums it. */
export async function fileSpeeds(dtype: 'f32' | 'bf16', setting: Setting): Promise<Answer> {
  const file = join(setting.data, `${dtype}.safetensors`);
  const small = join(setting.data, `small-${dtype}.safetensors`);
  writeTensors(small, file, 24 * 2 ** 20);
  await verifyScan(file, small, setting);
  const torch: Contender[] = setting.hasTorch
    ? [
        {
          name: 'torch, blocks',
          command: numpy('scan_torch.py', `chunked ${file}`, setting),
          rounds: 1,
        },
        {
          name: 'torch, plain',
          command: numpy('scan_torch.py', `plain ${file}`, setting),
          rounds: 1,
        },
      ]
    : [];
  const lens = join(dirname(setting.python), 'lens');
  const weightlens: Contender[] = setting.hasWeightlens
    ? [{ name: 'weightlens', command: `${lens} analyze ${file}`, rounds: 1 }]
    : [];
  const measured = await compete(
    [
      { name: 'cat', command: `cat ${file} > /dev/null` },
      { name: 'laika', command: `${laika} validate ${file} > /dev/null` },
      { name: 'laika, 1 thread', command: `${laika} validate ${file} --threads 1 > /dev/null` },
      {
        name: 'NumPy, blocks',
        command: numpy('scan_numpy.py', `chunked ${file}`, setting),
        rounds: 3,
      },
      {
        name: 'NumPy, plain',
        command: numpy('scan_numpy.py', `plain ${file}`, setting),
        rounds: 1,
      },
      ...torch,
      ...weightlens,
      { name: 'sha256sum', command: `sha256sum ${file}`, rounds: 1 },
    ],
    setting.rounds,
  );
  const { size } = statSync(file);
  const aims: Target[] = [];
  if (dtype === 'f32') {
    aims.push(target('laika / cat, clock', 0.8, ratio(measured, ['cat', 'laika'], 'wall')));
    aims.push(target('laika / cat, CPU-second', 0.45, ratio(measured, ['cat', 'laika'], 'cpu')));
    const hash = ratio(measured, ['sha256sum', 'laika'], 'cpu');
    aims.push(target('laika / sha256sum, CPU-second', 10, hash));
  }
  const blocks = ratio(measured, ['NumPy, blocks', 'laika'], 'cpu');
  aims.push(target('laika / NumPy in blocks, CPU-second', dtype === 'f32' ? 1.4 : 4, blocks));
  const plain = ratio(measured, ['NumPy, plain', 'laika'], 'cpu');
  aims.push(target('laika / NumPy written plainly, CPU-second', 12, plain));
  if (setting.hasTorch) {
    const found = ratio(measured, ['torch, plain', 'laika'], 'cpu');
    aims.push(target('laika / torch written plainly, CPU-second', 12, found));
  }
  if (setting.hasWeightlens && dtype === 'f32') {
    const found = ratio(measured, ['weightlens', 'laika'], 'cpu');
    aims.push(target('laika / weightlens, CPU-second', 30, found));
  }
  const text = `${rows(measured, () => size)}\n\n${commands(measured, setting)}`;
  return { text, targets: aims.map((each) => ({ ...each, what: `${dtype}: ${each.what}` })) };
}
