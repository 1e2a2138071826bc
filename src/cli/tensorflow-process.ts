/** The process of the tensorflow engine. Laika starts it; it is no command. */
import { setPriority } from 'node:os';
import { parentChannel } from '../engines/process/parent-channel.ts';
import { serveEngine } from '../engines/process/serve-engine.ts';
import { openDevice } from '../engines/tensorflow/device.ts';
import type { TensorflowSettings } from '../engines/tensorflow/open-tensorflow.ts';
import { openTensorflowOn } from '../engines/tensorflow/tensorflow-engine.ts';

const politeNiceness = 10;

/** TensorFlow reads these once, when its library is loaded; what the user has set stays. */
const settings = {
  TF_CPP_MIN_LOG_LEVEL: '3',
  TF_ENABLE_ONEDNN_OPTS: '0',
  TF_NUM_INTEROP_THREADS: '1',
  TF_NUM_INTRAOP_THREADS: '1',
  // Without it TensorFlow takes nearly all memory of a GPU that a trainer may be using.
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
};

for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;

// With several GPUs tensors and sessions would end up on different ones: the first has to do.
const [firstGpu = '0'] = (process.env.CUDA_VISIBLE_DEVICES ?? '0').split(',');
process.env.CUDA_VISIBLE_DEVICES = firstGpu;

const { polite, ...options }: TensorflowSettings = JSON.parse(process.argv[2] ?? '{}');
if (polite) setPriority(politeNiceness);

await serveEngine(parentChannel(), async () => openTensorflowOn(await openDevice(), options));
