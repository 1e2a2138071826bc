import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, Stream } from '../../src/engines/engine.ts';
import { openProcessEngine } from '../../src/engines/process/process-engine.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { copyContract } from './copy-contract.ts';
import { movementContract } from './movement-contract.ts';
import { bundled } from './process/bundled.ts';
import { readingContract } from './reading-contract.ts';
import { randomBytes } from './seeded.ts';
import { contextOf, denseStream, inlineStream, summarise, sweepOf } from './tensors.ts';

const program = bundled(new URL('./process/wasm-process.ts', import.meta.url), 'wasm-process');
const open = async () => openProcessEngine({ name: 'wasm', entry: await program });

// Every kind of record crosses once; what is in them is the engine's own.
describe('the wasm engine in a process of its own', () => {
  describe('copies', () => copyContract(open));
  describe('movements', () => movementContract(open));
  describe('reading', () => readingContract(open));
});

function named(name: string): Stream {
  const stream = inlineStream('f32', new Uint8Array(8));
  return { ...stream, tensor: { ...stream.tensor, name } };
}

describe('an engine in a process of its own', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each([
    ['abort', 'SIGABRT'],
    ['spoil', 'OOM when allocating tensor'],
  ])('survives in name when its process ends (%s), and says why', async (name, why) => {
    await expect(
      engine.run(sweepOf({ sB: named(name) }, { summaries: ['sB'] }), contextOf()),
    ).rejects.toMatchObject({
      name: 'LaikaError',
      code: 'engine-unavailable',
      details: { where: '--engine wasm', why: expect.stringContaining(why) },
    });
    expect(await summarise(engine, 'u8', Uint8Array.of(1, 2))).toMatchObject({ sum: 3 });
    expect(engine.warning).toContain('ended and was replaced');
    expect(engine.warning).toContain(why);
  });

  it('fails the sweeps that its process took along, and runs the next ones', async () => {
    const good = () => summarise(engine, 'u8', Uint8Array.of(3, 4));
    const bad = engine.run(sweepOf({ sB: named('abort') }), contextOf());
    const ends = await Promise.allSettled([bad, good()]);
    expect(ends[0]?.status).toBe('rejected');
    expect(await good()).toMatchObject({ sum: 7 });
  });

  it('reads local files by itself, as the WebAssembly engine finds them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'laika-process-'));
    const bytes = randomBytes(3, 3_000_000);
    writeFileSync(join(folder, 'a.bin'), bytes);
    const source = await openLocalSource(folder);
    // What is not asked for here is read there.
    const head = {
      ...source,
      path: source.path,
      localPath: (file: string) => source.localPath(file),
      read: async () => {
        throw new Error('asked for bytes of a local file');
      },
    };
    const stream = denseStream('f32', [{ file: 'a.bin', offset: 12, elements: 700_000 }]);
    const sweep = sweepOf({ sB: stream }, { summaries: ['sB'], sha256: ['sB'] });
    const context = contextOf({ 'a.bin': bytes });
    const found = await engine.run(sweep, { ...context, sources: { head, base: null } });
    const wasm = await openWasmEngine();
    expect(found).toEqual(await wasm.run(sweep, context));
    rmSync(join(folder, 'a.bin'));
    writeFileSync(join(folder, 'b.bin'), bytes.subarray(0, 100));
    const gone = sweepOf({ sB: denseStream('f32', [{ file: 'b.bin', offset: 0, elements: 99 }]) });
    await expect(
      engine.run(gone, { ...context, sources: { head, base: null } }),
    ).rejects.toMatchObject({ code: 'changed-while-reading' });
    rmSync(folder, { recursive: true });
  });

  it('is told how to work when it starts', async () => {
    const told = await openProcessEngine({ name: 'wasm', entry: await program, args: ['a', 'b'] });
    expect(told.device).toBe('told a,b');
    await told.close();
  });

  it('says that a program which ends at once is no engine', async () => {
    await expect(
      openProcessEngine({ name: 'tensorflow', entry: '/no-such-program.mjs' }),
    ).rejects.toMatchObject({ code: 'engine-unavailable' });
  });
});
