/** How many processors this process may use: affinity and the quota of its control group. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** More threads than this read no faster from any storage that was measured. */
const threadsMax = 16;

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Another system, or no control groups.
    return null;
  }
}

/** Processors of the quota in a `cpu.max` file (`200000 100000` is 2); null for no quota. */
export function quotaOf(text: string | null): number | null {
  const match = /^(\d+) (\d+)/.exec(text ?? '');
  const processors = match ? Number(match[1]) / Number(match[2]) : Number.NaN;
  return Number.isFinite(processors) ? processors : null;
}

/** The tightest quota from the process's control group up to the root; null for none. */
function groupQuota(): number | null {
  const group = /^0::(\/.*)$/m.exec(textOf('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  const parts = group.split('/').filter((part) => part !== '' && part !== '..');
  let least: number | null = null;
  for (let depth = parts.length; depth >= 0; depth--) {
    const folder = ['/sys/fs/cgroup', ...parts.slice(0, depth)].join('/');
    const quota = quotaOf(textOf(`${folder}/cpu.max`));
    if (quota !== null && (least === null || quota < least)) least = quota;
  }
  return least;
}

/** Threads that this process can keep busy, at least 1. */
export function usableProcessors(): number {
  const processors = Math.min(availableParallelism(), groupQuota() ?? Infinity, threadsMax);
  return Math.max(1, Math.floor(processors));
}
