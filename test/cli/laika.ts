/** Runs the built command line as a user would: a real process, its exit code, both streams. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Result } from '../../src/verdict/result.ts';

const entry = fileURLToPath(new URL('../../bin/laika.js', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Largest resident size seen, in bytes; 0 where /proc does not tell. */
  readonly peakBytes: number;
}

function residentPeak(pid: number): number {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return 0;
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(path, 'utf8'));
  return line ? Number(line[1]) * 1024 : 0;
}

/** `environment` is added to the test's own. */
export function laika(
  words: readonly string[],
  environment: Record<string, string> = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...words], {
      env: { ...process.env, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let peakBytes = 0;
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const watch = setInterval(() => {
      try {
        peakBytes = Math.max(peakBytes, residentPeak(child.pid as number));
      } catch {
        // The process ended between the two looks.
        peakBytes += 0;
      }
    }, 10);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(watch);
      resolve({ code, stdout, stderr, peakBytes });
    });
  });
}

/** With standard output in the file at `path`; what it says on standard error. */
export function laikaInto(
  path: string,
  words: readonly string[],
): Promise<{ code: number | null; stderr: string }> {
  const file = openSync(path, 'w');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...words], { stdio: ['ignore', file, 'pipe'] });
    let stderr = '';
    child.stderr?.on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      closeSync(file);
      resolve({ code, stderr });
    });
  });
}

/** The result document of a command that prints one. */
export async function laikaJson(
  words: readonly string[],
): Promise<{ code: number | null; result: Result }> {
  const { code, stdout, stderr } = await laika([...words, '--output', 'json']);
  if (stdout === '') throw new Error(`nothing on standard output; standard error: ${stderr}`);
  return { code, result: JSON.parse(stdout) };
}
