/** The contract on kernels compiled for the host, and on a real GPU where an idle one is. */
import { describe, it } from 'vitest';
import { bestDevice, isIdle } from '../../src/engines/cuda/devices.ts';
import { inspectCuda, openCudaEngine } from '../../src/engines/cuda/open-cuda-engine.ts';
import { engineContract } from './contract.ts';
import { fakeMachine } from './cuda/fake-machine.ts';

if (fakeMachine) engineContract('cuda', () => openCudaEngine(fakeMachine?.options));
else it.skip('the cuda engine: no g++ to compile its kernels for the host', () => {});

const machine = await inspectCuda();
const device = machine.driver && bestDevice(machine.devices);
if (device && isIdle(device)) {
  describe(`on ${device.name}`, () => {
    engineContract('cuda', () => openCudaEngine({ leastElements: 0 }));
  });
} else it.skip('the cuda engine on a real GPU: none is here and idle', () => {});
