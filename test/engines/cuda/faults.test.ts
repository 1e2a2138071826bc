/** What goes wrong with GPUs: nothing leaks, nothing is lost, and the verdict stays right. */
import { afterEach, describe, expect, it } from 'vitest';
import { openCudaEngine } from '../../../src/engines/cuda/open-cuda-engine.ts';
import type { Engine } from '../../../src/engines/engine.ts';
import { openReferenceEngine } from '../../../src/engines/reference/reference-engine.ts';
import { randomBytes } from '../seeded.ts';
import { contextOf, denseStream, inlineStream, summarise, sweepOf } from '../tensors.ts';
import { fakeMachine } from './fake-machine.ts';

const file = randomBytes(3, 6_000_000);
const sweep = sweepOf(
  {
    sB: denseStream('f32', [{ file: 'a', offset: 0, elements: 600_000 }]),
    copyB: denseStream('bf16', [{ file: 'a', offset: 7, elements: 600_000 }]),
  },
  { summaries: ['sB', 'copyB'] },
);

const oom = 2;
const ecc = 214;
const illegalAddress = 700;

describe.skipIf(fakeMachine === null)('a GPU (the fake: kernels compiled for the host)', () => {
  const machine = fakeMachine as NonNullable<typeof fakeMachine>;
  const open = (more = {}) => openCudaEngine({ ...machine.options, ...more });
  let engine: Engine | null = null;

  afterEach(async () => {
    await engine?.close();
    engine = null;
    machine.set({});
  });

  const expected = openReferenceEngine().run(sweep, contextOf({ a: file }));

  async function expectRight(): Promise<void> {
    expect(await engine?.run(sweep, contextOf({ a: file }))).toEqual(await expected);
  }

  it('is used at all, and given back whole', async () => {
    expect(machine.alive()).toBe(0);
    engine = await open();
    const before = machine.launches();
    await expectRight();
    expect(machine.launches()).toBeGreaterThan(before + 10);
    expect(engine.device).toMatch(/^Fake GPU 0 \([0-9a-f]{8}\)$/);
    expect(machine.alive()).toBeGreaterThan(0);
    await engine.close();
    expect(machine.alive()).toBe(0);
  });

  it('is given back when nothing happens, and taken again for the next sweep', async () => {
    engine = await open({ idleMs: 1 });
    await summarise(engine, 'f32', randomBytes(1, 4096));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(machine.alive()).toBe(0);
    await expectRight();
  });

  it('is not taken for small tensors, which start and end on wasm before it has begun', async () => {
    engine = await open({ leastElements: 1000 });
    const before = machine.launches();
    await summarise(engine, 'f32', randomBytes(1, 3996));
    expect(machine.launches()).toBe(before);
    await summarise(engine, 'f32', randomBytes(1, 4000));
    expect(machine.launches()).toBeGreaterThan(before);
  });

  it.each([
    ['cuLaunchKernel', illegalAddress, 9],
    ['cuEventQuery', illegalAddress, 2],
    ['cuMemcpyHtoDAsync_v2', ecc, 5],
    ['cuMemcpyDtoHAsync_v2', ecc, 2],
    ['cuMemsetD8Async', 719, 3],
    ['cuStreamSynchronize', 999, 0],
  ] as const)(
    'that fails in %s is left, and the sweep redone on wasm',
    async (call, code, after) => {
      engine = await open();
      machine.fail(call, code, after);
      await expectRight();
      expect(engine.device).toMatch(/which failed \(.*\): 1 sweeps ran on wasm$/);
      expect(machine.alive()).toBe(0);
      // A poisoned context is never tried again in this process.
      const before = machine.launches();
      await expectRight();
      expect(machine.launches()).toBe(before);
    },
  );

  it('whose memory is damaged is named as a suspect', async () => {
    engine = await open();
    expect(engine.warning).toBeNull();
    machine.fail('cuEventQuery', ecc, 1);
    await expectRight();
    expect(engine.warning).toMatch(/uncorrectable ECC error.*its memory is a suspect/);
  });

  it.each([
    [64, true],
    [10, true],
    [5, true],
    [4.5, false],
    [4, false],
  ])(
    'with %d MiB takes fewer slots, and without room for one leaves the sweep to wasm',
    async (memory, onGpu) => {
      engine = await open({ memory: memory * 2 ** 20 });
      const before = machine.launches();
      await expectRight();
      expect(machine.launches() > before).toBe(onGpu);
      expect(machine.bytes()).toBeLessThanOrEqual(memory * 2 ** 20);
      expect(engine.device).not.toMatch(/failed/);
      await engine.close();
      expect(machine.alive()).toBe(0);
    },
  );

  it('takes slots back where tables and counters of another sweep need the room', async () => {
    // The check leaves 1.75 MiB of tables and counters and two slots of 2 MiB; the table of i16 and
    // the counters of wA take 0.75 more.
    engine = await open({ memory: 6 * 2 ** 20 });
    const before = machine.launches();
    const other = sweepOf(
      { wA: inlineStream('i16', randomBytes(4, 20_000)) },
      { summaries: ['wA'] },
    );
    expect(await engine.run(other, contextOf())).toEqual(
      await openReferenceEngine().run(other, contextOf()),
    );
    expect(machine.launches()).toBeGreaterThan(before);
  });

  it('with less memory than the check takes is refused with what would do', async () => {
    // Two tables of 16-bit values, three sets of counters and one slot are 3.75 MiB.
    await expect(open({ memory: 3.5 * 2 ** 20 })).rejects.toMatchObject({
      code: 'engine-unavailable',
      details: {
        what: '--gpu-mem 3.5 is less than the check of a GPU takes, which is 4 MiB',
        next: 'use --gpu-mem 4 or more, or --engine wasm',
      },
    });
    expect(machine.alive()).toBe(0);
  });

  it('that runs out of memory is asked for half, and is taken again later', async () => {
    engine = await open();
    for (let after = 0; after < 8; after++) {
      machine.fail('cuMemAlloc_v2', oom, after);
      await expectRight();
      expect(engine.warning).toBeNull();
    }
    machine.fail('cuMemHostAlloc', oom, 0);
    await expectRight();
    await engine.close();
    expect(machine.alive()).toBe(0);
  });

  it.each([
    [{ devices: 0 }, /shows no GPU/],
    [{ driver: 11_080 }, /older than R525/],
    [{ memory: 600 * 2 ** 20 }, /too little memory free/],
  ])('that cannot be used (%o) is refused in one sentence', async (what, sentence) => {
    machine.set(what);
    await expect(open()).rejects.toMatchObject({
      code: 'engine-unavailable',
      details: { what: expect.stringMatching(sentence), where: '--engine cuda' },
    });
    expect(machine.alive()).toBe(0);
  });

  it.each([
    ['cuInit', 803],
    ['cuDevicePrimaryCtxRetain', 802],
    ['cuModuleLoadData', 222],
    ['cuMemHostAlloc', oom],
  ] as const)('that fails in %s at the start is refused and leaves nothing', async (call, code) => {
    machine.fail(call, code);
    await expect(open()).rejects.toMatchObject({ code: 'engine-unavailable' });
    expect(machine.alive()).toBe(0);
  });

  it('without a driver or its package is refused with what would help', async () => {
    await expect(open({ driverLibraries: ['no-such-library.so'] })).rejects.toMatchObject({
      details: { what: 'There is no NVIDIA driver here', next: 'use --engine wasm' },
    });
  });
});
