/**
 * `laika watch` as a process of its own, over a folder of empty files, with a judge that only
 * waits.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { watchCommand } from '../../src/cli/watch.ts';

const [run = '', stateDir = ''] = process.argv.slice(2);

try {
  process.exitCode = await watchCommand({
    ...{ runs: [run], stateDir, listen: '127.0.0.1:0', once: false },
    ...{ intervalSeconds: 0.05, settleSeconds: 0 },
    policy: { failOn: 'corrupt', exitZero: false, require: [], minCoverage: null },
    discover: async () =>
      numbered(run).map((name) => ({
        ...{ path: join(run, name), stepHint: Number(name), complete: true, identity: name },
      })),
    judge: async () => {
      await wait(3);
      const verdict = 'intact';
      return { schema: 'laika.result/1', laika: { version: '1', rules: '' }, verdict };
    },
    stdout: () => undefined,
    stderr: (text) => void process.stderr.write(text),
  });
} catch (error) {
  if (!isLaikaError(error)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 2;
}

function numbered(folder: string): string[] {
  return readdirSync(folder).sort((left, right) => Number(left) - Number(right));
}
