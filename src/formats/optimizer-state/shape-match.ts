/**
 * Which parameter is which where the model's order is lost, as in sorted safetensors: only shapes
 * that leave no choice. Layers of one list are an exception: their order is their number.
 */
import type { Slot } from './order-match.ts';

export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

function groupByShape<T>(items: readonly T[], shapeOf: (item: T) => Slot): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const shape = shapeOf(item);
    if (shape === null) continue;
    const key = shape.join(',');
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Names that differ in one number only, in the order of that number; null for any others. */
function inLayerOrder(items: readonly NamedShape[]): NamedShape[] | null {
  const [first] = items;
  if (!first) return null;
  const pattern = first.name.split('.');
  const parts = items.map(({ name }) => name.split('.'));
  if (parts.some((part) => part.length !== pattern.length)) return null;
  const differing = pattern.flatMap((text, at) => {
    return parts.every((part) => part[at] === text) ? [] : [at];
  });
  const [at] = differing;
  if (at === undefined || differing.length !== 1) return null;
  const numbers = parts.map((part) => part[at] as string);
  if (!numbers.every((text) => /^(0|[1-9][0-9]{0,8})$/.test(text))) return null;
  return items
    .map((item, i) => ({ item, number: Number(numbers[i]) }))
    .sort((a, b) => a.number - b.number)
    .map(({ item }) => item);
}

/**
 * Names for slots, which are numbered through all groups: one for each slot, or null. `slots` are
 * in order; slots of different groups never share an order.
 */
export function matchByShape(
  slots: readonly { readonly shape: Slot; readonly group: number }[],
  candidates: readonly NamedShape[],
): (string | null)[] {
  const found = new Map<(typeof slots)[number], string>();
  const named = groupByShape(candidates, ({ shape }) => shape);
  for (const [key, members] of groupByShape(slots, ({ shape }) => shape)) {
    const names = named.get(key) ?? [];
    // As many names as slots: none of them is frozen, and none can belong to a slot without state.
    if (names.length !== members.length) continue;
    const ordered = names.length === 1 ? names : inLayerOrder(names);
    const oneGroup = members.every(({ group }) => group === members[0]?.group);
    if (!ordered || !oneGroup) continue;
    for (const [i, slot] of members.entries()) found.set(slot, (ordered[i] as NamedShape).name);
  }
  return slots.map((slot) => found.get(slot) ?? null);
}
