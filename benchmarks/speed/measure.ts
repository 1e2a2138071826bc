/** Times whole processes: by the clock, in CPU-seconds of the process and its children, and in memory. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** What one run cost. */
export interface Cost {
  readonly wall: number;
  readonly cpu: number;
  /** Largest resident size that was seen, in MB; 0 where /proc does not tell. */
  readonly peak: number;
  readonly output: string;
}

/** A program that is timed beside others. */
export interface Contender {
  readonly name: string;
  /** A line for bash. */
  readonly command: string;
  /** Runs at most; for slow ones. */
  readonly rounds?: number;
}

/** What a contender cost in every round. */
export interface Measured {
  readonly name: string;
  readonly command: string;
  readonly costs: readonly Cost[];
}

function peakOf(pid: number): number {
  let peak = 0;
  for (const each of [pid, ...childrenOf(pid)]) {
    const path = `/proc/${each}/status`;
    if (!existsSync(path)) continue;
    try {
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? 0));
    } catch {
      // It ended between two looks.
    }
  }
  return peak / 1000;
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Runs a line of bash. @throws Error with its output where it fails. */
export function run(command: string): Promise<Cost> {
  return new Promise((resolve, reject) => {
    // The time goes to a stream of its own: the command's own streams stay as they are.
    const line = `TIMEFORMAT='%3R %3U %3S'; { time { ${command} ; } 2>&4 ; } 4>&2 2>&3`;
    const child = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    let output = '';
    let talk = '';
    let times = '';
    let peak = 0;
    child.stdout?.on('data', (text) => {
      output += text;
    });
    child.stderr?.on('data', (text) => {
      talk += text;
    });
    child.stdio[3]?.on('data', (text) => {
      times += text;
    });
    const look = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid ?? 0));
    }, 20);
    child.on('close', (code) => {
      clearInterval(look);
      if (code !== 0) return reject(new Error(`${command}: exit ${code}\n${talk}${output}`));
      const [wall = 0, user = 0, system = 0] = times.trim().split(/\s+/).map(Number);
      resolve({ wall, cpu: user + system, peak, output });
    });
  });
}

/** Times all contenders turn by turn, so that what else happens on the machine meets all of them. */
export async function compete(
  contenders: readonly Contender[],
  rounds: number,
): Promise<Measured[]> {
  const measured = contenders.map((each) => ({ ...each, costs: [] as Cost[] }));
  for (let round = 0; round < rounds; round++) {
    for (const contender of measured) {
      if (round >= (contender.rounds ?? rounds)) continue;
      contender.costs.push(await run(contender.command));
    }
  }
  return measured;
}

/** The middle one, and the smallest and largest. */
export function spreadOf(values: readonly number[]): {
  middle: number;
  least: number;
  most: number;
} {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return { middle, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
}
