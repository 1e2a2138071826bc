/** Copies of fixtures in a folder of their own, to be changed by a test. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { fixtures } from './golden.ts';

/** An empty folder that is gone after the test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'laika-format-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A copy of a folder of fixtures. */
export function copyOf(name: string): string {
  const folder = emptyFolder();
  cpSync(join(fixtures, name), folder, { recursive: true });
  return folder;
}
