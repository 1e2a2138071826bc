/** The questions about whole runs. Each is verified before it is timed. */
import { statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Contender, compete, type Measured, run, spreadOf } from './measure.ts';
import { laika, peers, root, type Setting } from './setting.ts';
import { table } from './table.ts';
import { writeTensors } from './write-tensors.ts';

/** A ratio that was asked for, and what was found. */
export interface Target {
  readonly what: string;
  readonly aim: string;
  readonly found: number;
  readonly met: boolean;
}

export interface Answer {
  readonly text: string;
  readonly targets: readonly Target[];
}

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

function numpy(script: string, words: string, { python }: Setting): string {
  return `OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ${python} ${join(peers, script)} ${words}`;
}

function rows(measured: readonly Measured[], bytes: (name: string) => number): string {
  const cells = measured.map(({ name, costs }) => {
    const gb = bytes(name) / 1e9;
    const wall = spreadOf(costs.map((cost) => cost.wall));
    const cpu = spreadOf(costs.map((cost) => cost.cpu));
    const peak = Math.max(...costs.map((cost) => cost.peak));
    return [
      name,
      (gb / wall.middle).toFixed(2),
      `${(gb / wall.most).toFixed(2)}–${(gb / wall.least).toFixed(2)}`,
      (gb / cpu.middle).toFixed(2),
      `${wall.middle.toFixed(3)} s`,
      `${cpu.middle.toFixed(3)} s`,
      `${Math.round(peak)} MB`,
      String(costs.length),
    ];
  });
  const head = ['', 'GB/s', 'spread', 'GB per CPU-s', 'clock', 'CPU', 'memory', 'runs'];
  return table(head, cells);
}

function middleOf(measured: readonly Measured[], name: string, of: 'wall' | 'cpu'): number {
  const found = measured.find((each) => each.name === name);
  return spreadOf((found?.costs ?? []).map((cost) => cost[of])).middle;
}

/** How many times less time the second takes than the first. */
function ratio(
  measured: readonly Measured[],
  names: readonly [string, string],
  of: 'wall' | 'cpu',
) {
  return middleOf(measured, names[0], of) / middleOf(measured, names[1], of);
}

function target(what: string, least: number, found: number): Target {
  return { what, aim: `at least ${Number(least.toFixed(2))}`, found, met: found >= least };
}

/** Folders of the machine by what they are: the text is read elsewhere. */
function commands(measured: readonly Measured[], { data, python }: Setting): string {
  const told = (command: string) =>
    command
      .replaceAll(data, 'DATA')
      .replaceAll(python, 'python')
      .replaceAll(`${dirname(python)}/`, '')
      .replaceAll(`${root}/`, '');
  return measured.map(({ name, command }) => `  ${name}: ${told(command)}`).join('\n');
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

/** A pair of checkpoints with every law. */
export async function pairSpeeds(setting: Setting): Promise<Answer> {
  const [base, head] = ['pair-10', 'pair-20'].map((name) =>
    join(setting.data, `${name}.safetensors`),
  );
  const flags = `--base ${base} --lr-max 1e-3`;
  const json = `--output json --reproducible`;
  const once = await run(`${laika} validate ${head} ${flags} ${json} --threads 1`);
  const twice = await run(`${laika} validate ${head} ${flags} ${json} --threads 2`);
  const result = JSON.parse(once.output) as {
    verdict: string;
    coverage: { rules: { rule: string; elements: number }[] };
  };
  if (once.output !== twice.output) throw new Error('two threads find something else than one');
  const judged = new Set(
    result.coverage.rules.filter((rule) => rule.elements > 0).map(({ rule }) => rule),
  );
  for (const law of ['moment-bound', 'moment-increment', 'bounded-update', 'state-progress'])
    if (!judged.has(law)) throw new Error(`${law} judged nothing: this is no pair pass`);
  if (result.verdict !== 'intact') throw new Error(`the healthy pair is ${result.verdict}`);
  const torch: Contender[] = setting.hasTorch
    ? [
        {
          name: 'torch, blocks',
          command: numpy('adam_pair.py', `torch-chunked ${setting.data}`, setting),
          rounds: 1,
        },
      ]
    : [];
  const measured = await compete(
    [
      { name: 'cat', command: `cat ${base} ${head} > /dev/null` },
      { name: 'laika', command: `${laika} validate ${head} ${flags} > /dev/null` },
      {
        name: 'laika, 1 thread',
        command: `${laika} validate ${head} ${flags} --threads 1 > /dev/null`,
      },
      {
        name: 'NumPy, blocks',
        command: numpy('adam_pair.py', `numpy-chunked ${setting.data}`, setting),
        rounds: 3,
      },
      {
        name: 'NumPy, whole',
        command: numpy('adam_pair.py', `numpy ${setting.data}`, setting),
        rounds: 1,
      },
      ...torch,
    ],
    setting.rounds,
  );
  const bytes = statSync(base as string).size + statSync(head as string).size;
  return {
    text: `${rows(measured, () => bytes)}\n\n${commands(measured, setting)}`,
    targets: [
      target('pair: laika / cat, clock', 0.7, ratio(measured, ['cat', 'laika'], 'wall')),
      target(
        'pair: laika / NumPy in blocks, CPU-second',
        2.5,
        ratio(measured, ['NumPy, blocks', 'laika'], 'cpu'),
      ),
    ],
  };
}

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

/** Threads, numbers of tensors, sizes; and memory. */
export async function scalingSpeeds(setting: Setting, sizes: readonly number[]): Promise<Answer> {
  const file = join(setting.data, 'f32.safetensors');
  const threads = [1, 2, 4, 8].map((n) => ({
    name: `${n} threads`,
    command: `${laika} validate ${file} --threads ${n} > /dev/null`,
  }));
  const counts = [10, 1000, 10_000, 100_000].map((count) => {
    const path = join(setting.data, `count-${count}.safetensors`);
    writeTensors(path, file, 256 * 2 ** 20, count);
    return { name: `${count} tensors, 256 MiB`, command: `${laika} validate ${path} > /dev/null` };
  });
  const large = sizes.map((bytes) => {
    const path = join(setting.data, `size-${bytes}.safetensors`);
    writeTensors(path, file, bytes);
    return { name: `${bytes / 1e6} MB`, command: `${laika} validate ${path} > /dev/null` };
  });
  const rounds = Math.min(3, setting.rounds);
  const byThreads = await compete(threads, rounds);
  const byCount = await compete(counts, rounds);
  const bySize = await compete(large, rounds);
  const size = (measured: readonly Measured[]) => (name: string) => {
    const command = measured.find((each) => each.name === name)?.command ?? '';
    return statSync(/validate (\S+)/.exec(command)?.[1] ?? file).size;
  };
  const peak = Math.max(...bySize.flatMap(({ costs }) => costs.map((cost) => cost.peak)));
  const parts = [byThreads, byCount, bySize].map((each) => rows(each, size(each)));
  const memory = { what: 'memory of the largest file, MB', aim: 'below 300', found: peak };
  return { text: parts.join('\n\n'), targets: [{ ...memory, met: peak < 300 }] };
}

/** From nothing to an answer. */
export async function startSpeeds(setting: Setting): Promise<Answer> {
  const small = join(setting.data, 'one-megabyte.safetensors');
  writeTensors(small, join(setting.data, 'f32.safetensors'), 1e6);
  writeFileSync(join(setting.data, 'empty.cjs'), '');
  const measured = await compete(
    [
      { name: 'node -e 0', command: 'node -e 0' },
      { name: 'laika --version', command: `${laika} --version` },
      { name: 'laika validate, 1 MB', command: `${laika} validate ${small} > /dev/null` },
    ],
    Math.max(10, setting.rounds),
  );
  const cells = measured.map(({ name, costs }) => {
    const wall = spreadOf(costs.map((cost) => 1000 * cost.wall));
    const cpu = spreadOf(costs.map((cost) => 1000 * cost.cpu));
    const spread = `${wall.least.toFixed(0)}–${wall.most.toFixed(0)}`;
    return [name, wall.middle.toFixed(0), spread, cpu.middle.toFixed(0)];
  });
  const ms = (name: string) => 1000 * middleOf(measured, name, 'wall');
  const below = (what: string, most: number, found: number): Target => {
    return { what, aim: `below ${most}`, found, met: found < most };
  };
  const twice = ms('laika --version') / ms('node -e 0');
  return {
    text: table(['', 'ms', 'spread', 'CPU ms'], cells),
    targets: [
      below('laika --version, ms', 150, ms('laika --version')),
      below('laika --version / node -e 0', 2, twice),
      below('validate of 1 MB, ms', 400, ms('laika validate, 1 MB')),
    ],
  };
}
