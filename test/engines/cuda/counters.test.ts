/** Counters of 32 bits are emptied before they can overflow. */
import { expect, it } from 'vitest';
import { CudaSweep } from '../../../src/engines/cuda/cuda-sweep.ts';
import { readImage } from '../../../src/engines/cuda/kernels.ts';
import { inspectCuda } from '../../../src/engines/cuda/open-cuda-engine.ts';
import { Ring } from '../../../src/engines/cuda/ring.ts';
import { CudaSession } from '../../../src/engines/cuda/session.ts';
import { Pacer } from '../../../src/engines/pacer.ts';
import { openReferenceEngine } from '../../../src/engines/reference/reference-engine.ts';
import { randomBytes } from '../seeded.ts';
import { contextOf, inlineStream, sweepOf } from '../tensors.ts';
import { fakeMachine } from './fake-machine.ts';

it.skipIf(fakeMachine === null)('keeps counting when counters are emptied on the way', async () => {
  const machine = await inspectCuda(fakeMachine?.options);
  if (!machine.driver) throw new Error(machine.reason);
  const session = await CudaSession.open(machine.driver, {
    ordinal: 0,
    image: readImage(),
    limits: { memory: 2 ** 29 },
  });
  const host = { session, ring: new Ring(session), pacer: new Pacer(), countLimit: 300_000 };
  const streams = {
    sB: inlineStream('bf16', randomBytes(1, 2_200_000)),
    sA: inlineStream('f8e4m3fn', randomBytes(2, 1_100_000)),
  };
  const sweep = sweepOf(streams, { summaries: ['sB', 'sA'] });
  const found = await new CudaSweep(sweep, contextOf(), host).run();
  session.close();
  expect(found).toEqual(await openReferenceEngine().run(sweep, contextOf()));
});
