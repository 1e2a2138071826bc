import { describe, expect, it } from 'vitest';
import { gpuLines } from '../../src/cli/gpu-lines.ts';
import { inspectCuda } from '../../src/engines/cuda/open-cuda-engine.ts';
import { fakeMachine } from '../engines/cuda/fake-machine.ts';

describe('what laika doctor says about GPUs', () => {
  it('is nothing where there is no driver', async () => {
    expect(gpuLines(await inspectCuda({ driverLibraries: ['no-such-library.so'] }))).toEqual([]);
  });

  it.skipIf(fakeMachine === null)('names each with its memory and who uses it', async () => {
    fakeMachine?.set({ devices: 2, processes: 1, used: 3e9, memory: 80e9 });
    expect(gpuLines(await inspectCuda(fakeMachine?.options))).toEqual([
      '',
      'gpus, by a driver for CUDA 12.4',
      '  0  Fake GPU 0 (00010203), 80 GB, busy: 1 process, 3.0 GB used',
      '  1  Fake GPU 1 (10111213), 80 GB, idle',
    ]);
    fakeMachine?.set({});
  });
});
