/** What every question answers with: a table, the commands behind it, and ratios against their aims. */
import { dirname, join } from 'node:path';
import { type Measured, spreadOf } from './measure.ts';
import { peers, root, type Setting } from './setting.ts';
import { table } from './table.ts';

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

/** The command of a NumPy peer on one thread. */
export function numpy(script: string, words: string, { python }: Setting): string {
  return `OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ${python} ${join(peers, script)} ${words}`;
}

/** A table of what each contender did, in bytes of `bytes`. */
export function rows(measured: readonly Measured[], bytes: (name: string) => number): string {
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

/** The median of one measure of a contender, in seconds. */
export function middleOf(measured: readonly Measured[], name: string, of: 'wall' | 'cpu'): number {
  const found = measured.find((each) => each.name === name);
  return spreadOf((found?.costs ?? []).map((cost) => cost[of])).middle;
}

/** How many times less time the second takes than the first. */
export function ratio(
  measured: readonly Measured[],
  names: readonly [string, string],
  of: 'wall' | 'cpu',
) {
  return middleOf(measured, names[0], of) / middleOf(measured, names[1], of);
}

/** A ratio that must not be smaller. */
export function target(what: string, least: number, found: number): Target {
  return { what, aim: `at least ${Number(least.toFixed(2))}`, found, met: found >= least };
}

/** Folders of the machine by what they are: the text is read elsewhere. */
export function commands(measured: readonly Measured[], { data, python }: Setting): string {
  const told = (command: string) =>
    command
      .replaceAll(data, 'DATA')
      .replaceAll(python, 'python')
      .replaceAll(`${dirname(python)}/`, '')
      .replaceAll(`${root}/`, '');
  return measured.map(({ name, command }) => `  ${name}: ${told(command)}`).join('\n');
}
