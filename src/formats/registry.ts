/** Every layout that Laika reads, the most specific first: the first that is certain opens. */

import { accelerate } from './accelerate.ts';
import { dcp } from './dcp/dcp.ts';
import { dcpHf } from './dcp-hf.ts';
import { deepspeed } from './deepspeed/deepspeed.ts';
import { deepspeedUniversal } from './deepspeed/universal.ts';
import { flaxMsgpack } from './flax-msgpack/flax-msgpack.ts';
import type { Format } from './format.ts';
import { gguf } from './gguf/gguf.ts';
import { hfTrainer } from './hf-trainer.ts';
import { kerasArchive } from './keras/keras-archive.ts';
import { kerasH5 } from './keras/keras-h5.ts';
import { kerasSharded } from './keras/keras-sharded.ts';
import { megatronDist } from './megatron/dist.ts';
import { megatronLegacy } from './megatron/legacy.ts';
import { npz } from './numpy/npz.ts';
import { onnx } from './onnx/onnx.ts';
import { orbax } from './orbax/orbax.ts';
import { safetensors } from './safetensors.ts';
import { safetensorsSharded } from './safetensors-sharded.ts';
import { tfBundle } from './tf-bundle/tf-bundle.ts';
import { torchLegacy } from './torch-legacy/torch-legacy.ts';
import { torchRanks } from './torch-ranks/torch-ranks.ts';
import { torchSharded } from './torch-sharded.ts';
import { torchZip } from './torch-zip/torch-zip.ts';
import { zarr } from './zarr/zarr.ts';

export const formats: readonly Format[] = [
  orbax,
  hfTrainer,
  accelerate,
  deepspeedUniversal,
  deepspeed,
  megatronLegacy,
  megatronDist,
  dcp,
  torchRanks,
  safetensorsSharded,
  dcpHf,
  torchSharded,
  safetensors,
  torchZip,
  torchLegacy,
  flaxMsgpack,
  npz,
  gguf,
  onnx,
  zarr,
  tfBundle,
  kerasArchive,
  kerasSharded,
  kerasH5,
];
