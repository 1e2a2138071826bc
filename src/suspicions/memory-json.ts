/**
 * The memory of a run as text. NaN and infinities survive; what does not read is refused, never
 * guessed.
 */
import { encodeJson } from '../records/numbers.ts';
import type { ExactState } from './exact-state.ts';
import { MemoryReader, memorySchema } from './memory-reader.ts';
import type { OpenSuspicion, RunMemory, TensorMemory } from './run-memory.ts';

/** Lanes that stick are rare: [lane, mask] of those alone, and whether lanes were looked at. */
function packExact({ stuck, ...rest }: ExactState): unknown {
  const sparse = stuck.flatMap((mask, lane) => (mask === 0 ? [] : [[lane, mask]]));
  return { ...rest, lanes: stuck.length, stuck: sparse };
}

function packTensor({ exact, ...rest }: TensorMemory): unknown {
  return { ...rest, exact: exact && packExact(exact) };
}

function packOpen({ lesson, ...rest }: OpenSuspicion): unknown {
  return { ...rest, lesson: { ...lesson, exact: packExact(lesson.exact) } };
}

/** Names are from files: pairs, not object keys. */
function pack<T>(map: ReadonlyMap<string, T>, one: (value: T) => unknown): unknown[] {
  return [...map].map(([name, value]) => [name, one(value)]);
}

/** One line of JSON. */
export function memoryToJson(memory: RunMemory): string {
  return encodeJson({
    schema: memorySchema,
    ...memory,
    best: [...memory.best],
    tensors: pack(memory.tensors, packTensor),
    open: pack(memory.open, packOpen),
  });
}

/**
 * The inverse of `memoryToJson`.
 * @param where what the text was read from, for the error
 * @throws state-invalid where the text is not such a memory
 */
export function memoryFromJson(text: string, where = 'run memory'): RunMemory {
  const reader = new MemoryReader(where);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    reader.refuse('not JSON');
  }
  return reader.memory(value);
}
