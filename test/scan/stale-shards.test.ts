import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { judge } from '../../src/verdict/judge.ts';
import { fixtures } from '../formats/golden.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const engine = await openReferenceEngine();
const temporary = temporaryFolder();
const base = join(fixtures, 'dcp/step-4');
const head = join(fixtures, 'dcp/step-5');

/** Step 5 with some files of step 4: a save that stopped half-way over an older one. */
function torn(name: string, files: readonly string[]): string {
  const folder = join(temporary, name);
  cpSync(head, folder, { recursive: true, preserveTimestamps: true });
  for (const file of files) cpSync(join(base, file), join(folder, file));
  return folder;
}

async function findingsOf(folder: string) {
  const request = { base, engine, options: {}, next: 'laika validate', listTensors: false };
  return (await judge({ ...request, head: folder })).findings ?? [];
}

describe('a file of an earlier step among the ranks’ files', () => {
  it('is named, with its rank', async () => {
    const findings = await findingsOf(torn('one', ['__0_0.distcp']));
    const stale = findings.filter(({ rule }) => rule === 'shard-stale');
    expect(stale).toMatchObject([{ file: '__0_0.distcp', certainty: 'confirmed' }]);
    expect(stale[0]?.message).toContain('rank 0');
  });

  it('is not seen where every file moved', async () => {
    expect(await findingsOf(head)).toEqual([]);
  });

  it('is not told of one rank where no file moved: that is another fault', async () => {
    const findings = await findingsOf(torn('all', ['__0_0.distcp', '__1_0.distcp']));
    expect(findings.filter(({ rule }) => rule === 'shard-stale')).toEqual([]);
    expect(findings.length).toBeGreaterThan(0);
  });
});
