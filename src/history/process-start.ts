/** Is the process that wrote a pid still that process? A number alone is reused. */
import { readFileSync } from 'node:fs';

/** Linux reports start times in 1/100 s to every program, whatever the kernel's own tick. */
const ticksPerSecond = 100;

/** `btime` is whole seconds, and the clock may have been set since boot. */
const slackMs = 2000;

/** False when `pid` is gone, or belongs to a process that began after `notAfterMs` (Unix time). */
export function isStillRunning(pid: number, notAfterMs: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const fields = statFields(pid);
  // A zombie holds its number until its parent asks for it, which may be never.
  if (fields?.[0] === 'Z') return false;
  const startedAtMs = fields && startOf(fields);
  return startedAtMs === null || startedAtMs <= notAfterMs + slackMs;
}

/** Unix time in ms at which `pid` began; null where the system does not say (no /proc). */
export function processStartedAt(pid: number): number | null {
  const fields = statFields(pid);
  return fields && startOf(fields);
}

/** Fields of /proc/PID/stat from the third on: the name before may hold spaces and parentheses. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function startOf(fields: readonly string[]): number | null {
  try {
    const bootLine = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'));
    const startedAtMs = (Number(bootLine?.[1]) + Number(fields[19]) / ticksPerSecond) * 1000;
    return Number.isFinite(startedAtMs) ? startedAtMs : null;
  } catch {
    return null;
  }
}
