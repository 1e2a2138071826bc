import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LaikaError } from '../../src/checkpoint/errors.ts';
import { tailCommand } from '../../src/cli/tail.ts';
import { type WatchCommandOptions, watchCommand } from '../../src/cli/watch.ts';
import { readWatchFile } from '../../src/history/state-folder.ts';
import type { Result, Verdict } from '../../src/verdict/result.ts';
import { tempFolder } from '../history/temp-folder.ts';

interface Bench {
  readonly run: string;
  readonly state: string;
  /** Writes a checkpoint whose content is its verdict. */
  save(step: number, verdict: Verdict | 'limit'): void;
  readonly out: { stdout: string; stderr: string };
  watch(more?: Partial<WatchCommandOptions>): Promise<number>;
  tail(
    more?: Partial<Parameters<typeof tailCommand>[0]>,
  ): Promise<{ code: number; lines: string[] }>;
}

const policy = { failOn: 'corrupt', exitZero: false, require: [], minCoverage: null } as const;

function result(verdict: Verdict): Result {
  const coverage = {
    bytes: 1,
    bytes_read: 1,
    rules: [{ rule: 'finite-values', elements: 1, of: 1, unknown: [] }],
  };
  const message = 'the \u001b[31mmoment is past its bound';
  const rule = { rule: 'moment-bound', kind: 'law', certainty: 'confirmed' } as const;
  const finding = { ...rule, severity: 'critical', count: 1, message, next: '' } as const;
  return {
    ...{ schema: 'laika.result/1', laika: { version: '1', rules: 'x' }, verdict, coverage },
    findings: verdict === 'corrupt' ? [finding] : [],
  };
}

function bench(): Bench {
  const [run, state] = [tempFolder(), tempFolder()];
  const verdicts = new Map<string, Verdict | 'limit'>();
  const out = { stdout: '', stderr: '' };
  return {
    ...{ run, state, out },
    save: (step, verdict) => {
      const path = join(run, `step-${step}`);
      writeFileSync(path, verdict);
      verdicts.set(path, verdict);
    },
    watch: (more) =>
      watchCommand({
        ...{ runs: [run], stateDir: state, listen: '127.0.0.1:0', once: false, policy },
        ...{ intervalSeconds: 0.02, settleSeconds: 0 },
        discover: async (folder) =>
          readdirSync(folder).map((name) => ({
            ...{ path: join(folder, name), complete: true },
            ...{
              stepHint: Number(name.slice(5)),
              identity: `${name} ${verdicts.get(join(folder, name))}`,
            },
          })),
        judge: async ({ path }) => {
          const verdict = verdicts.get(path) ?? 'intact';
          if (verdict !== 'limit') return result(verdict);
          throw new LaikaError({ code: 'limit-exceeded', what: 'too large', where: path });
        },
        stdout: (text) => {
          out.stdout += text;
        },
        stderr: (text) => {
          out.stderr += text;
        },
        ...more,
      }),
    tail: async (more) => {
      let text = '';
      const code = await tailCommand({
        ...{ stateDir: state, since: 'all', once: true, output: 'ndjson', stderr: () => undefined },
        stdout: (part) => {
          text += part;
        },
        ...more,
      });
      return { code, lines: text.split('\n').slice(0, -1) };
    },
  };
}

/** Runs a watcher beside `work`, and ends it cleanly. */
async function beside(
  b: Bench,
  work: () => Promise<void>,
  more: Partial<WatchCommandOptions> = {},
) {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watching = b.watch({ signal: stop.signal, ...more });
  await expect.poll(() => readWatchFile(b.state)).not.toBeNull();
  await work();
  stop.abort();
  expect(await watching).toBe(0);
}

test('a single look that is ended early vouches for nothing', async () => {
  const b = bench();
  b.save(1, 'intact');
  b.save(2, 'corrupt');
  const stop = new AbortController();
  const code = b.watch({
    once: true,
    signal: stop.signal,
    judge: async () => {
      stop.abort();
      return result('intact');
    },
  });
  expect(await code).toBe(130);
});

test('says where it listens, prints one line a verdict, and ends with 0', async () => {
  const b = bench();
  b.save(1, 'intact');
  b.save(2, 'corrupt');
  await beside(b, async () => {
    const watch = readWatchFile(b.state);
    expect(watch).toMatchObject({ pid: process.pid, runs: [b.run] });
    expect(b.out.stderr).toContain(`events: ${watch?.url} (token in ${b.state}/token)`);
    await expect.poll(() => b.out.stdout).toMatch(/step-2/);
  });
  const lines = b.out.stdout.split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\S+Z intact \S+\/step-1 step 1$/);
  const message = 'the \\u001b[31mmoment is past its bound';
  expect(lines[1]).toContain(`corrupt ${b.run}/step-2 step 2: moment-bound: ${message}`);
  expect(lines[1]).toMatch(/; last to trust: \S+\/step-1$/);
  expect(existsSync(join(b.state, 'watch.json'))).toBe(false);
  expect(readdirSync(b.run).sort()).toEqual(['step-1', 'step-2']);
});

test('once: ends with the code of the worst that is there, the second time too', async () => {
  const cases = [
    [['intact', 'unremarkable'], 0],
    [['intact', 'suspect', 'unverified'], 0],
    [['corrupt', 'intact'], 1],
    [['limit', 'intact'], 2],
    [['limit', 'corrupt'], 1],
    [[], 3],
  ] as const;
  for (const [verdicts, code] of cases) {
    const b = bench();
    verdicts.forEach((verdict, i) => {
      b.save(i + 1, verdict);
    });
    expect([verdicts, await b.watch({ once: true })]).toEqual([verdicts, code]);
    expect([verdicts, await b.watch({ once: true })]).toEqual([verdicts, code]);
    expect(b.out.stdout.match(/judged before/g)?.length ?? 0).toBe(verdicts.length);
    expect(readWatchFile(b.state)).toBeNull();
  }
  const strict = bench();
  strict.save(1, 'suspect');
  expect(await strict.watch({ once: true, policy: { ...policy, failOn: 'suspect' } })).toBe(1);
});

test('once: ends with 2 when a run cannot be listed', async () => {
  const b = bench();
  const discover = async (run: string): Promise<never> => {
    throw new LaikaError({ code: 'path-missing', what: 'there is no such folder', where: run });
  };
  expect(await b.watch({ once: true, discover })).toBe(2);
  expect(b.out.stderr).toContain('there is no such folder');
});

test('prints every event as a CloudEvent with ndjson', async () => {
  const b = bench();
  b.save(1, 'corrupt');
  await b.watch({ once: true, output: 'ndjson' });
  const types = b.out.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { type: string }).type.replace('dev.laika.', ''));
  expect(types).toEqual([
    'watcher.started.v1',
    'checkpoint.seen.v1',
    'checkpoint.verdict.v1',
    'alert.firing.v1',
  ]);
});

test('refuses bad addresses, two of them, one in use, and state inside a run', async () => {
  const b = bench();
  const codeOf = (more: Partial<WatchCommandOptions>) =>
    b.watch(more).then(
      () => 'none',
      (error) => (error as LaikaError).code,
    );
  for (const listen of ['7474', ':7474', 'localhost', 'localhost:99999', 'http://x:1']) {
    expect([listen, await codeOf({ listen })]).toEqual([listen, 'arguments-invalid']);
  }
  expect(await codeOf({ socket: '/tmp/x.sock' })).toBe('arguments-invalid');
  mkdirSync(join(b.run, 'state'));
  expect(await codeOf({ stateDir: join(b.run, 'state') })).toBe('arguments-invalid');
  await beside(b, async () => {
    const { port } = new URL(readWatchFile(b.state)?.url ?? '');
    const stateDir = tempFolder();
    expect(await codeOf({ listen: `127.0.0.1:${port}`, stateDir })).toBe('connection-failed');
    expect(existsSync(join(stateDir, 'watch.json'))).toBe(false);
  });
});

test('tail prints the log as one JSON line an event, or as lines for people', async () => {
  const b = bench();
  b.save(1, 'corrupt');
  await beside(b, async () => {
    await expect.poll(() => b.out.stdout).toMatch(/step-1/);
    const { code, lines } = await b.tail();
    expect(code).toBe(0);
    const events = lines.map((line) => JSON.parse(line) as { seq: string; id: string });
    expect(events.map((event) => event.seq)).toEqual(['1', '2', '3', '4']);
    const epoch = events[0]?.id.split('-')[0];
    expect((await b.tail({ since: `${epoch}:3` })).lines).toEqual(lines.slice(3));
    expect((await b.tail({ since: 'now' })).lines).toEqual([]);
    const { lines: text } = await b.tail({ output: 'text' });
    expect(text[0]).toMatch(/ watcher\.started: /);
    expect(text[3]).toMatch(
      / alert\.firing \S+step-1 step 1: moment-bound: the \\u001b\[31mmoment/,
    );
  });
});

test('tail follows the next watcher on the same state folder, and stops when told', async () => {
  const b = bench();
  const stop = new AbortController();
  const lines: string[] = [];
  let following: Promise<unknown> = Promise.resolve();
  b.save(1, 'intact');
  await beside(b, async () => {
    following = b.tail({
      ...{ once: false, signal: stop.signal, backoff: { baseMs: 5, capMs: 20 } },
      stdout: (line) => lines.push(line),
    });
    await expect.poll(() => lines.length).toBe(3);
  });
  b.save(2, 'intact');
  await beside(b, async () => {
    await expect.poll(() => lines.length).toBe(6);
  });
  stop.abort();
  await following;
  const seqs = lines.map((line) => Number((JSON.parse(line) as { seq: string }).seq));
  expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
});

test('tail says that there is no watcher, or that it was refused', async () => {
  const b = bench();
  await expect(b.tail()).rejects.toMatchObject({ code: 'connection-failed' });
  await expect(b.tail({ url: 'ws://127.0.0.1:9/v1/stream', token: 'x' })).rejects.toMatchObject({
    code: 'connection-failed',
  });
  await beside(b, async () => {
    const refused = b.tail({ token: 'wrong', once: false });
    await expect(refused).rejects.toThrow(/401/);
    await expect(b.tail({ since: 'yesterday', once: false })).rejects.toThrow(/1008|since/);
  });
});
