/** How long does it take from nothing to an answer? */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, middleOf, type Target } from './answer.ts';
import { compete, spreadOf } from './measure.ts';
import { laika, type Setting } from './setting.ts';
import { table } from './table.ts';
import { writeTensors } from './write-tensors.ts';

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
