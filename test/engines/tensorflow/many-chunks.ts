/** Runs a thousand chunks in one process and prints what is left of them. */
import { openDevice } from '../../../src/engines/tensorflow/device.ts';
import { openTensorflowOn } from '../../../src/engines/tensorflow/tensorflow-engine.ts';
import { randomBytes } from '../seeded.ts';
import { contextOf, inlineStream, sweepOf } from '../tensors.ts';

const chunks = 1000;
const warmUp = 200;

/** 64 rows: if every run left one input behind, a thousand would leave 250 MB. */
const elements = 65_536;

/** Ordinary float32 from random bytes. */
function ordinary(seed: number): Uint8Array {
  const bytes = randomBytes(seed, 4 * elements);
  for (let at = 3; at < bytes.length; at += 4) bytes[at] = 0x3c;
  return bytes;
}

const device = await openDevice();
const engine = await openTensorflowOn(device);
const decay = { firstDrift: 1e-36, secondDrift: 1e-36, cast: 0, finite: 1, constant: 50 };
const sweep = sweepOf(
  { mB: inlineStream('f32', ordinary(1)), vB: inlineStream('f32', ordinary(2)) },
  { summaries: ['mB', 'vB'], laws: [{ law: 'moment-bound', constants: decay }] },
);
let before = 0;
for (let chunk = 0; chunk < chunks; chunk++) {
  if (chunk === warmUp) before = process.memoryUsage.rss();
  await engine.run(sweep, contextOf());
}
const grown = process.memoryUsage.rss() - before;
await engine.close();
process.stdout.write(JSON.stringify({ tensors: device.tensors(), grown }));
