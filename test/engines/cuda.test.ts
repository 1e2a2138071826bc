import { describe, it } from 'vitest';
import { openCudaEngine } from '../../src/engines/cuda/open-cuda-engine.ts';
import { engineContract } from './contract.ts';
import { fakeMachine } from './cuda/fake-machine.ts';

if (fakeMachine) engineContract('cuda', () => openCudaEngine(fakeMachine?.options));
else
  describe.skip('the cuda engine: no g++ to compile its kernels for the host', () =>
    it('', () => {}));
