/** Runs a program of the user's machine, and says why when it fails. */
import { spawn } from 'node:child_process';
import { LaikaError } from '../../checkpoint/errors.ts';

export interface ToolResult {
  /** Null: it could not be started, or did not end in time. */
  readonly code: number | null;
  readonly output: string;
  /** The line of what it said that tells most. */
  readonly said: string;
}

/** A compiler takes ten seconds; ten minutes are for a machine that is very busy. */
const limitMs = 600_000;

/** Text that is kept of each stream. */
const keptText = 64 * 1024;

export function runTool(program: string, args: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    // Not spawn's own limit, which goes on after a program that could not be started.
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    const end = (result: ToolResult) => {
      clearTimeout(timer);
      resolve(result);
    };
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(0, keptText);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(0, keptText);
    });
    child.on('error', (error) => end({ code: null, output, said: error.message }));
    child.on('close', (code, signal) => {
      end({ code, output, said: code === null ? `ended by ${signal}` : telling(errors) });
    });
  });
}

/** The first line with an error in it, as compilers write it; else the last, as Python does. */
function telling(errors: string): string {
  const lines = errors.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /\b(fatal )?error\b:/.test(line)) ?? lines.at(-1) ?? '').trim();
}

export function toolFailed(
  what: string,
  where: string,
  { why, next }: { readonly why?: string; readonly next: string },
): LaikaError {
  return new LaikaError({
    code: 'engine-unavailable',
    what,
    where,
    ...(why ? { why } : {}),
    next,
  });
}
