/** Names of shards: `model-00001-of-00003.safetensors`. */

export interface ShardName {
  readonly name: string;
  readonly family: string;
  readonly number: number;
  readonly count: number;
}

const pattern = /^(.+)-([0-9]{5,6})-of-([0-9]{5,6})\.safetensors$/;

/** Slices that torch's distributed checkpoint left in this format: parts of tensors, not tensors. */
const slicePattern = /^shard-[0-9]+-/;

/** Null for any other name. */
export function parseShardName(name: string): ShardName | null {
  const parts = slicePattern.test(name) ? null : pattern.exec(name);
  if (!parts) return null;
  return { name, family: parts[1] as string, number: Number(parts[2]), count: Number(parts[3]) };
}
