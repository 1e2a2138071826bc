import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openPath, outcomeOf } from './opened.ts';

const folder = join(import.meta.dirname, '../../fixtures/hostile');

const expected: Record<string, { kind: string; note: string }> = JSON.parse(
  readFileSync(join(folder, 'expected.json'), 'utf8'),
);

const mine = /^(pt|zip)-/;
const names = Object.keys(expected).filter((name) => mine.test(name));

/** Where the note allows a second answer, the one that we give. */
const chosen: Record<string, string> = { 'zip-end-only.pt': 'problem' };

describe('hostile files', () => {
  it('are all here', () => {
    const here = readdirSync(folder).filter((name) => mine.test(name));
    expect(here.sort()).toEqual(names.sort());
    expect(names.length).toBeGreaterThan(110);
  });

  it.each(names.map((name) => [name, expected[name]?.kind, expected[name]?.note] as const))(
    '%s: %s (%s)',
    async (name, kind) => {
      expect(await outcomeOf(() => openPath(join(folder, name)))).toBe(chosen[name] ?? kind);
    },
  );

  it('leave the tensors readable that they do not touch', async () => {
    const calls = names.filter((name) => name.startsWith('pt-calls-') && !name.includes('build'));
    expect(calls.length).toBeGreaterThan(20);
    for (const name of calls) {
      const { checkpoint } = await openPath(join(folder, name));
      expect(checkpoint.tensors, name).toMatchObject([{ dtype: 'f32', shape: [4], elements: 4 }]);
    }
  });

  it.each([
    ['pt-calls-os-system.pt', "os.system('echo pwned')"],
    ['pt-calls-dotted.pt', "os.system('echo pwned')"],
    ['pt-calls-dotted-path.pt', "torch.serialization.os.system('echo pwned')"],
    ['pt-calls-inst.pt', "os.system('echo pwned')"],
    ['pt-calls-obj.pt', "os.system('echo pwned')"],
    ['pt-calls-newobj.pt', 'os.system'],
    ['pt-calls-getattr.pt', "getattr(os.path, '__class__')"],
    ['pt-extension.pt', 'extension code 7'],
    ['pt-second-pickle.pt', '32 bytes follow'],
    ['pt-hidden-pickle.pt', "'archive/data/1'"],
  ])('%s is told as %s', async (name, words) => {
    const { checkpoint } = await openPath(join(folder, name));
    const found = checkpoint.problems.filter(({ rule }) => rule === 'code-in-pickle');
    expect(found.map(({ message }) => message).join('\n')).toContain(words);
    for (const problem of found) {
      expect(problem).toMatchObject({ kind: 'security', file: name });
      expect(problem.offset).toBeGreaterThan(0);
    }
  });

  it('point at the very opcode that asks for code', async () => {
    const name = 'pt-calls-os-system.pt';
    const bytes = readFileSync(join(folder, name));
    const { checkpoint } = await openPath(join(folder, name));
    // The call is the REDUCE opcode, 'R', behind its arguments.
    const offset = checkpoint.problems[0]?.offset ?? 0;
    expect(String.fromCharCode(bytes[offset] as number)).toBe('R');
    expect(bytes.subarray(offset - 20, offset).toString('latin1')).toContain('echo pwned');
  });

  it('never run anything', () => {
    // Each of them would print this word, or make a file called so.
    expect(existsSync('pwned')).toBe(false);
  });
});

describe('archives', () => {
  it.each([
    ['zip-bad-crc.pt', undefined],
    ['zip-appended.pt', 'trailing-bytes'],
    ['zip-prepended.pt', 'header-invalid'],
    ['zip-two-ends.pt', 'ambiguous-archive'],
    ['zip-overlap.pt', 'ambiguous-archive'],
    ['zip-local-name.pt', 'ambiguous-archive'],
    ['zip-duplicate-member.pt', 'duplicate-name'],
    ['zip-case-differs.pt', 'duplicate-name'],
    ['zip-traversal.pt', 'path-escape'],
    ['zip-backslash.pt', 'path-escape'],
    ['zip-deflate-bomb.pt', 'compression-bomb'],
    ['zip-deflate-pickle-bomb.pt', 'compression-bomb'],
    ['zip-size-past-end.pt', 'header-invalid'],
    ['pt-storage-short.pt', 'tensor-out-of-bounds'],
    ['pt-storage-long.pt', 'shape-mismatch'],
    ['pt-storage-key-missing.pt', 'tensor-missing'],
    ['pt-storage-key-traversal.pt', 'path-escape'],
    ['pt-view-past-end.pt', 'tensor-out-of-bounds'],
    ['pt-optimizer-nan-lr.pt', 'hyper-parameter-invalid'],
    ['pt-unknown-class.pt', 'unknown-class-in-pickle'],
  ])('%s is told under its rule (%s)', async (name, rule) => {
    const { checkpoint } = await openPath(join(folder, name));
    expect(checkpoint.problems[0]?.rule).toBe(rule);
  });

  it('that nothing can be read of list nothing', async () => {
    for (const name of ['zip-cd-offset.pt', 'zip-zip64-overflow.pt', 'zip-prepended.pt']) {
      const { checkpoint } = await openPath(join(folder, name));
      expect(checkpoint.tensors, name).toEqual([]);
      expect(checkpoint.complete, name).toBe(false);
    }
  });
});
