/** The TensorFlow library: loads models that we wrote and runs them on the device that it has. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LaikaError } from '../../checkpoint/errors.ts';
import { buildCommand, installCommand } from './commands.ts';

/** The part of the package that is used; it is optional, so its own types may be missing. */
interface TensorFlow {
  readonly node: {
    loadSavedModel(
      folder: string,
      tags: readonly string[],
      signature: string,
    ): Promise<LoadedModel>;
  };
  tensor(values: Int32Array, shape: readonly number[], type: 'int32'): Tensor;
  /** Frees every tensor that was made in it. */
  tidy(run: () => void): void;
  memory(): { readonly numTensors: number };
  backend(): { readonly binding: { readonly TF_Version: string }; isUsingGpuDevice: boolean };
}

interface Tensor {
  dataSync(): Int32Array;
}

interface LoadedModel {
  predict(inputs: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
}

const require = createRequire(import.meta.url);

/** A matrix of int32 that a model takes. */
export interface Matrix {
  readonly words: Int32Array;
  readonly shape: readonly number[];
}

export type Inputs = Readonly<Record<string, Matrix>>;

/** What a model returns: float64 as pairs of int32. */
export type Outputs = Readonly<Record<string, Int32Array>>;

/** One signature of a model, ready to run. */
export type Runner = (inputs: Inputs) => Outputs;

export interface Device {
  /** For people: `TensorFlow 2.21.0 on CPU`. */
  readonly name: string;
  readonly isGpu: boolean;
  /** Loads one signature of a model, given the bytes of `saved_model.pb`. */
  load(model: Uint8Array, signature: string): Promise<Runner>;
  /** Tensors that are alive: 0 between runs. */
  tensors(): number;
}

/**
 * Loads the package, its addon and the library. What the library reads from the environment must be
 * set before.
 * @throws LaikaError `engine-unavailable`, which says what is missing.
 */
export async function openDevice(): Promise<Device> {
  restoreRemovedFunctions();
  const tf = loadPackage();
  const { binding, isUsingGpuDevice } = tf.backend();
  const where = isUsingGpuDevice ? 'GPU' : 'CPU';
  return {
    name: `TensorFlow ${binding.TF_Version} on ${where}`,
    isGpu: isUsingGpuDevice,
    load: async (model, signature) => {
      const loaded = await loadModel(tf, model, signature);
      return (inputs) => predict(tf, loaded, inputs);
    },
    tensors: () => tf.memory().numTensors,
  };
}

/** Version 4.22 calls two functions of `node:util` that Node 23 dropped. */
function restoreRemovedFunctions(): void {
  const util: Record<string, unknown> = require('node:util');
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

function loadPackage(): TensorFlow {
  try {
    return require('@tensorflow/tfjs-node-gpu') as TensorFlow;
  } catch (cause) {
    throw unavailable(cause);
  }
}

function unavailable(cause: unknown): LaikaError {
  const where = '@tensorflow/tfjs-node-gpu';
  const code = cause instanceof Error && 'code' in cause ? cause.code : '';
  const said = cause instanceof Error ? (cause.message.trim().split('\n')[0] ?? '') : '';
  const isMissing = code === 'MODULE_NOT_FOUND' && said.includes(where);
  const isUnlinked = code === 'ERR_DLOPEN_FAILED';
  return new LaikaError(
    {
      code: 'engine-unavailable',
      what: isMissing
        ? 'The optional package is not installed'
        : isUnlinked
          ? 'The addon cannot load the TensorFlow library that it was built for'
          : 'The package has no addon that was built here',
      where,
      ...(isUnlinked ? { why: said } : {}),
      next: isMissing ? installCommand : buildCommand('--python python3'),
    },
    { cause },
  );
}

async function loadModel(
  tf: TensorFlow,
  model: Uint8Array,
  signature: string,
): Promise<LoadedModel> {
  const folder = await mkdtemp(join(tmpdir(), 'laika-model-'));
  try {
    await writeFile(join(folder, 'saved_model.pb'), model);
    return await tf.node.loadSavedModel(folder, ['serve'], signature);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function predict(tf: TensorFlow, model: LoadedModel, inputs: Inputs): Outputs {
  const found: Record<string, Int32Array> = {};
  // What `tidy` returns it searches for tensors, number by number: it must return nothing.
  tf.tidy(() => {
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, { words, shape }]) => [
        name,
        tf.tensor(words, shape, 'int32'),
      ]),
    );
    for (const [name, each] of Object.entries(model.predict(tensors)))
      found[name] = each.dataSync();
  });
  return found;
}
