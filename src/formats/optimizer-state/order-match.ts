/**
 * Which parameter is which by order: an optimizer numbers its parameters in the order in which it
 * was given them, mostly the model's own with some left out. Where shapes leave one possibility,
 * that is it.
 */
import { sameShape } from './state-shape.ts';

type Shape = readonly number[];

/** A numbered slot of the optimizer; its shape is null where it has no state. */
export type Slot = Shape | null;

export interface OrderMatch {
  /** For each slot the only candidate that can be meant, or null where several can. */
  readonly found: readonly (number | null)[];
}

function fits(slot: Slot, candidate: Shape): boolean {
  return slot === null || sameShape(slot, candidate);
}

/** The earliest places at which the slots can lie in order, or null where they cannot. */
function leftmost(slots: readonly Slot[], candidates: readonly Shape[]): number[] | null {
  const places: number[] = [];
  for (let at = 0; at < candidates.length && places.length < slots.length; at += 1) {
    if (fits(slots[places.length] as Slot, candidates[at] as Shape)) places.push(at);
  }
  return places.length === slots.length ? places : null;
}

/**
 * Lays the slots over the candidates in order. Null: it cannot be done, so the order is another
 * one. A slot is found where its earliest and its latest possible place are the same.
 */
export function matchInOrder(
  slots: readonly Slot[],
  candidates: readonly Shape[],
): OrderMatch | null {
  const first = leftmost(slots, candidates);
  const last = leftmost([...slots].reverse(), [...candidates].reverse());
  if (!first || !last) return null;
  const found = first.map((place, slot) => {
    const latest = candidates.length - 1 - (last[slots.length - 1 - slot] as number);
    return place === latest ? place : null;
  });
  return { found };
}
