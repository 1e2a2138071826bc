import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runMarkerProblems } from '../../src/formats/run-markers.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const temporary = temporaryFolder();
let runs = 0;

async function problemsOf(marker: string, text: string, folders: readonly string[]) {
  runs += 1;
  const run = join(temporary, `run-${runs}`);
  mkdirSync(run);
  for (const name of folders) mkdirSync(join(run, name));
  writeFileSync(join(run, marker), text);
  const source = await openLocalSource(run);
  const problems = await runMarkerProblems(source);
  await source.close();
  return problems;
}

it.each([
  ['latest', 'global_step6', ['global_step6']],
  ['latest', 'nested/global_step6', ['nested']],
  ['latest_universal', 'global_step6_universal', ['global_step6_universal']],
  ['latest_checkpointed_iteration.txt', '13', ['iter_0000013']],
  ['latest_checkpointed_iteration.txt', '12345678', ['iter_12345678']],
  ['latest_checkpointed_iteration.txt', 'release', ['release']],
  // A link or a copy of a checkpoint may be called so too.
  ['latest', 'x'.repeat(5000), []],
])('%s with %s is borne out by %j', async (marker, text, folders) => {
  expect(await problemsOf(marker, text, folders)).toEqual([]);
});

it.each([
  ['latest', 'global_step11', /"global_step11", and there is no such checkpoint/],
  ['latest', '', /empty/],
  ['latest', '../other', /leaves the folder/],
  ['latest_checkpointed_iteration.txt', '14', /no such checkpoint/],
])('%s with %j is told, and is no damage', async (file, text, message) => {
  const problems = await problemsOf(file, text, ['global_step10', 'iter_0000013']);
  const told = { rule: 'shard-missing', kind: 'info', file };
  expect(problems).toMatchObject([{ ...told, message: expect.stringMatching(message) }]);
});
