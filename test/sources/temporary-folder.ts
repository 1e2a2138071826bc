/** A folder of its own for one test file, removed at the end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'laika-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
