/** What each layout tells and how far Laika reads it: the README's table is generated from this. */

export interface Support {
  /** Optimizer state and names: what says which state belongs to which parameter. */
  readonly names: string;
  /** What is told of a tensor's role beside its name. */
  readonly roles: string;
  /** When the checkpoint counts as whole. */
  readonly ready: string;
  /** Checksums in the files, verified in the read. */
  readonly integrity: string;
}

const torchState = 'model, moments, masters, averages, hyper-parameters';

/** By the layout's id. */
export const support: Readonly<Record<string, Support>> = {
  safetensors: {
    names: 'Laika snapshots: by key; else none stored',
    roles: 'weights; snapshots: all state',
    ready: 'size in the header',
    integrity: 'sizes, overlaps, holes',
  },
  'safetensors-sharded': {
    names: 'none stored',
    roles: 'weights',
    ready: 'every shard of the index',
    integrity: 'sizes, overlaps, holes',
  },
  'torch-zip': {
    names: '`param_names`, else order and shape',
    roles: torchState,
    ready: 'the archive’s directory',
    integrity: 'CRC-32 of every member, `serialization_id`',
  },
  'torch-legacy': {
    names: '`param_names`, else order and shape',
    roles: torchState,
    ready: 'the last storage ends the file',
    integrity: 'sizes',
  },
  'torch-sharded': {
    names: 'none stored',
    roles: 'weights',
    ready: 'every shard of the index',
    integrity: 'CRC-32 of every member',
  },
  'torch-zip-ranks': {
    names: 'by key; flat parameters: none',
    roles: torchState,
    ready: 'a file of every rank',
    integrity: 'CRC-32 of every member',
  },
  'hf-trainer': {
    names: 'groups and shapes, where only one order fits',
    roles: torchState,
    ready: '`trainer_state.json`',
    integrity: 'CRC-32 of every torch member',
  },
  accelerate: {
    names: 'groups and shapes, where only one order fits',
    roles: torchState,
    ready: 'every file whole (nothing marks the end)',
    integrity: 'CRC-32 of every torch member',
  },
  lightning: {
    names: 'order and shape',
    roles: torchState,
    ready: 'the archive’s directory',
    integrity: 'CRC-32 of every member',
  },
  dcp: {
    names: 'by key',
    roles: torchState,
    ready: '`.metadata` and every item it names',
    integrity: 'CRC-32 inside every item',
  },
  'dcp-hf': {
    names: 'by key',
    roles: 'weights',
    ready: 'every shard of the count in the names',
    integrity: 'sizes, tiles',
  },
  deepspeed: {
    names: 'slice tables, or the 16-bit views',
    roles: `${torchState}; padding apart`,
    ready: 'a file of every partition',
    integrity: 'CRC-32 of every member; master against copy',
  },
  'deepspeed-universal': {
    names: 'by folder',
    roles: torchState,
    ready: 'every parameter’s files',
    integrity: 'CRC-32 of every member',
  },
  'megatron-dist': {
    names: 'by key; flat buckets: none',
    roles: `${torchState}; holes apart`,
    ready: '`metadata.json`, `.metadata` and every item',
    integrity: 'CRC-32 inside every item; SHA-256 of `integrity.json`',
  },
  'megatron-legacy': {
    names: 'by rank; flat buckets: none',
    roles: torchState,
    ready: 'a file of every rank',
    integrity: 'CRC-32 of every member',
  },
  orbax: {
    names: 'by path',
    roles: 'optax moments, traces, accumulated gradients',
    ready: 'renamed into place, or `commit_success.txt`',
    integrity: 'CRC-32C of nodes and shard indexes',
  },
  zarr: {
    names: 'by path',
    roles: 'by path',
    ready: 'every chunk',
    integrity: 'CRC-32C of shard indexes',
  },
  'flax-msgpack': {
    names: 'by path',
    roles: 'optax moments, traces, accumulated gradients',
    ready: 'the map ends the file',
    integrity: 'sizes',
  },
  'tf-bundle': {
    names: 'object graph, slots',
    roles: 'weights, Keras optimizers’ slots',
    ready: 'index and every data file',
    integrity: 'masked CRC-32C of every tensor and block',
  },
  'keras-h5': {
    names: 'by path, else order',
    roles: 'weights, optimizer variables',
    ready: 'size in the superblock',
    integrity: 'sizes',
  },
  'keras-v3': {
    names: 'order of the variables',
    roles: 'weights, optimizer variables',
    ready: 'the archive’s directory',
    integrity: 'CRC-32 of every member',
  },
  'keras-sharded': {
    names: 'order of the variables',
    roles: 'weights, optimizer variables',
    ready: 'the map and every file it names',
    integrity: 'sizes',
  },
  npz: {
    names: 'none stored',
    roles: 'none stored',
    ready: 'the archive’s directory, or the size in the header',
    integrity: 'CRC-32 of every member (npz)',
  },
  gguf: {
    names: 'none: weights alone',
    roles: 'weights',
    ready: 'every tensor, every split file',
    integrity: 'sizes; scales finite',
  },
  onnx: {
    names: 'none: weights alone',
    roles: 'weights',
    ready: 'every external file',
    integrity: 'SHA-1 of external files, where stored',
  },
};
