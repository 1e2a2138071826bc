/** Which GPU is taken, and whether `auto` takes one. */
import { afterEach, describe, expect, it } from 'vitest';
import { choiceAmong } from '../../../src/engines/cuda/auto-choice.ts';
import { bestDevice, type GpuDevice, isIdle, useText } from '../../../src/engines/cuda/devices.ts';
import { type GpuUse, Nvml } from '../../../src/engines/cuda/nvml.ts';
import { inspectCuda } from '../../../src/engines/cuda/open-cuda-engine.ts';
import { fakeMachine } from './fake-machine.ts';

const gib = 2 ** 30;

function gpu(ordinal: number, use: GpuUse | null): GpuDevice {
  return { ordinal, name: `GPU ${ordinal}`, uuid: `${ordinal}`, memory: 80 * gib, use };
}

const idle = { used: 3 * 2 ** 20, free: 79 * gib, processes: [] };
const trained = { used: 60 * gib, free: 20 * gib, processes: [4711] };
const hidden = { used: 2 * gib, free: 78 * gib, processes: [] };

describe('the choice of a GPU', () => {
  it('calls idle only what is known to be', () => {
    expect([idle, trained, hidden, null].map((use) => isIdle(gpu(0, use)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it('prefers an idle one, then the one with the most free memory, then the first', () => {
    expect(bestDevice([])).toBeNull();
    expect(bestDevice([gpu(0, hidden), gpu(1, idle)])?.ordinal).toBe(1);
    expect(bestDevice([gpu(0, null), gpu(1, trained), gpu(2, hidden)])?.ordinal).toBe(2);
    expect(bestDevice([gpu(0, idle), gpu(1, idle)])?.ordinal).toBe(0);
  });

  it('says who uses one', () => {
    expect(useText(gpu(0, idle))).toBe('idle');
    expect(useText(gpu(0, trained))).toBe('busy: 1 process, 64.4 GB used');
    expect(useText(gpu(0, hidden))).toMatch(/^busy: 2\.1 GB used by a process that is not visible/);
    expect(useText(gpu(0, null))).toMatch(/unknown/);
  });
});

describe('auto', () => {
  const few = { cores: 2, share: false, polite: false };

  it('takes an idle GPU where cores are few', () => {
    expect(choiceAmong([gpu(0, idle)], few)).toMatchObject({ takes: true });
    expect(choiceAmong([gpu(0, idle)], { ...few, cores: 16, share: true })).toMatchObject({
      takes: false,
    });
    const beside = { ...few, polite: true };
    expect(choiceAmong([gpu(0, idle)], beside)).toMatchObject({ takes: false });
    expect(choiceAmong([], few)).toEqual({ takes: false, reason: 'there is no GPU' });
  });

  it.each([
    ['a process computes on', trained],
    ['somebody outside this container holds memory of', hidden],
    ['nothing is known about', null],
  ])('leaves one alone that %s, unless it is told to share', (_, use) => {
    const left = choiceAmong([gpu(0, use)], few);
    expect(left).toMatchObject({ takes: false, reason: expect.stringMatching(/--share-gpu/) });
    expect(choiceAmong([gpu(0, use)], { ...few, share: true })).toMatchObject({ takes: true });
  });
});

describe.skipIf(fakeMachine === null)('the machine (the fake)', () => {
  const machine = fakeMachine as NonNullable<typeof fakeMachine>;
  afterEach(() => machine.set({}));

  it('tells every device with its UUID, memory and processes', async () => {
    machine.set({ devices: 2, processes: 3, used: 5 * gib });
    const found = await inspectCuda(machine.options);
    if (!found.driver) throw new Error(found.reason);
    expect(found.version).toBe('12.4');
    expect(found.devices).toEqual([
      {
        ordinal: 0,
        name: 'Fake GPU 0',
        uuid: '00010203-0405-0607-0809-0a0b0c0d0e0f',
        memory: 8 * gib,
        use: { used: 5 * gib, free: 3 * gib, processes: [4000, 4001, 4002] },
      },
      {
        ordinal: 1,
        name: 'Fake GPU 1',
        uuid: '10111213-1415-1617-1819-1a1b1c1d1e1f',
        memory: 8 * gib,
        use: { used: 0, free: 8 * gib, processes: [] },
      },
    ]);
    expect(bestDevice(found.devices)?.ordinal).toBe(1);
  });

  it('knows the devices and not their use where NVML is missing or does not start', async () => {
    const without = { ...machine.options, nvmlLibraries: ['no-such-library.so'] };
    for (const options of [without, machine.options]) {
      machine.fail('nvmlInit_v2', 9);
      const found = await inspectCuda(options);
      expect(found.driver && found.devices.map(({ use }) => use)).toEqual([null]);
      machine.set({});
    }
  });

  it('does not count this process among the others', async () => {
    machine.set({ processes: 2 });
    const nvml = await Nvml.open(machine.options.nvmlLibraries);
    const uuid = '00010203-0405-0607-0809-0a0b0c0d0e0f';
    expect(nvml?.use(uuid, 4000)?.processes).toEqual([4001]);
    expect(nvml?.use('not a uuid', 4000)).toBeNull();
    nvml?.close();
  });
});
