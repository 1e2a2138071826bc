/** States of learning-rate schedulers in a file, as plain values. */
import type { SchedulerState } from '../../checkpoint/checkpoint.ts';
import type { HyperValue } from '../../checkpoint/optimizer.ts';
import { isDict, isSequence, isTagged, type PickleValue } from '../pickle/values.ts';
import type { Container } from './torch-file.ts';

/** One for every optimizer is the most that anybody uses; of more, none could be told apart. */
const schedulersMost = 64;

/** Plain values of all states together: milestones, phases, a rate for every group. */
const itemsMost = 100_000;

/** Phases of a cycle are lists of dictionaries. */
const depthMost = 4;

function isScheduler(value: PickleValue): boolean {
  if (!isDict(value)) return false;
  const has = (key: string) => value.entries.has(key);
  if (has('last_epoch')) {
    return has('base_lrs') || has('_last_lr') || has('_step_count') || has('num_bad_epochs');
  }
  // Megatron's own.
  return has('num_steps') && has('max_lr') && (has('lr_warmup_steps') || has('warmup_steps'));
}

/** A key whose value is no plain one is kept with null: that it is there says what it is not. */
class StateReader {
  #left = itemsMost;

  read(value: PickleValue): Readonly<Record<string, HyperValue>> {
    const state: Record<string, HyperValue> = Object.create(null);
    for (const [key, item] of isDict(value) ? value.entries : []) {
      if (typeof key === 'string') state[key] = this.#plain(item, 0) ?? null;
    }
    return state;
  }

  #plain(value: PickleValue, depth: number): HyperValue | undefined {
    this.#left -= 1;
    if (this.#left < 0) return undefined;
    if (typeof value === 'bigint') return Number(value);
    if (!isTagged(value)) return value instanceof Uint8Array ? undefined : value;
    if (depth >= depthMost) return undefined;
    if (isSequence(value)) return this.#list(value.items, depth);
    if (!isDict(value)) return undefined;
    const pairs: HyperValue[] = [];
    for (const pair of value.entries) {
      const plain = this.#list(pair, depth + 1);
      if (plain === undefined) return undefined;
      pairs.push(plain);
    }
    return pairs;
  }

  #list(items: readonly PickleValue[], depth: number): HyperValue | undefined {
    const list: HyperValue[] = [];
    for (const item of items) {
      const plain = this.#plain(item, depth + 1);
      if (plain === undefined) return undefined;
      list.push(plain);
    }
    return list;
  }
}

/** All that lie in the file, in its order; of very many only the first. */
export function schedulersIn(containers: readonly Container[]): readonly SchedulerState[] {
  const reader = new StateReader();
  const found: SchedulerState[] = [];
  for (const { path, value } of containers) {
    if (!isScheduler(value)) continue;
    found.push({ path, state: reader.read(value) });
    if (found.length >= schedulersMost) break;
  }
  return found;
}
