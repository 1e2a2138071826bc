/**
 * Parameters that no optimizer holds, where every optimizer's parameters are known: they must not
 * move. A wrong name here would call healthy training corrupt, so everything that could move by
 * other means is left out: buffers under unusual names, ties that were stored twice, slow copies of
 * another network.
 */
import { isFloat } from '../../checkpoint/dtype.ts';
import type { Owners } from './map-parameters.ts';
import type { ModelTensors, RawOptimizer } from './raw-optimizer.ts';
import { sameShape } from './state-shape.ts';
import type { TensorDraft } from './tensor-draft.ts';

/** What modules call what they train; buffers are called otherwise. */
const parameterName = /(^|[._])(weight|bias)$/;
const movingName = /ema|avg|average|running|moving|momentum|target|teacher|shadow/i;

const embeddingName = /embed|wte|token|shared|vocab|emb\b/i;
const outputName = /head|output|decoder|logits|proj_out|generator|classifier|fc_out|lm_/i;

/** An output layer and an embedding of one shape are often one tensor, whatever the file says. */
function couldBeTied(a: TensorDraft, b: TensorDraft): boolean {
  if (a.shape.length < 2 || !sameShape(a.shape, b.shape)) return false;
  const pair = (x: string, y: string) => embeddingName.test(x) && outputName.test(y);
  return pair(a.name, b.name) || pair(b.name, a.name);
}

/**
 * `encoder_q.conv.weight` and `encoder_k.conv.weight`: networks of one form, one of which follows.
 */
function twinKeys({ name, shape }: TensorDraft): string[] {
  const parts = name.split('.');
  return parts.flatMap((part, at) => {
    // Layers are told apart by a number, and what lies in one layer by the last two parts.
    const inLayer = at >= Math.max(1, parts.length - 2);
    if (/^[0-9]+$/.test(part) || inLayer) return [];
    return [`${at}:${[...parts.slice(0, at), '*', ...parts.slice(at + 1)].join('.')}:${shape}`];
  });
}

interface Known {
  readonly optimizer: RawOptimizer;
  readonly owners: Owners;
}

function allHeld(known: readonly Known[]): Set<TensorDraft> | null {
  const held = new Set<TensorDraft>();
  for (const { optimizer, owners } of known) {
    for (const { ids } of optimizer.groups) {
      for (const id of ids) {
        const owner = owners.get(id);
        if (!owner) return null;
        held.add(owner.tensor);
      }
    }
  }
  return held.size > 0 ? held : null;
}

/** Names of parameters that no optimizer moves; empty where that cannot be known. */
export function findFrozen(models: readonly ModelTensors[], known: readonly Known[]): string[] {
  const held = allHeld(known);
  if (!held) return [];
  const heldNames = new Set([...held].map(({ name }) => name));
  const twins = new Set([...held].flatMap(twinKeys));
  const tieable = [...held].filter(({ shape }) => shape.length >= 2);
  const frozen: string[] = [];
  for (const model of models) {
    for (const tensor of model.tensors.values()) {
      const { name, role, dtype, aliasOf } = tensor;
      if (role !== 'parameter' || !isFloat(dtype) || held.has(tensor)) continue;
      if (aliasOf !== null && heldNames.has(aliasOf)) continue;
      if (!parameterName.test(name) || movingName.test(name)) continue;
      if (twinKeys(tensor).some((key) => twins.has(key))) continue;
      const isVocabulary = embeddingName.test(name) || outputName.test(name);
      if (isVocabulary && tieable.some((other) => couldBeTied(tensor, other))) continue;
      frozen.push(name);
    }
  }
  return frozen;
}
