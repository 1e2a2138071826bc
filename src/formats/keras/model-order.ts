/**
 * The order of a model's variables as an optimizer numbers them, told from where Keras 3 puts them. A
 * model's `layers` are stored in their order; what else a layer holds is stored by the names of its
 * attributes, and says nothing.
 */
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

/** Models in models; the last is the layer itself. */
const layerPrefix = /^(?:layers\/[^/]+\/)+/;

const variable = /^(?:cell\/)?vars\/([0-9]+)$/;

/** Keras's own layers that hold several others, in the order in which they make them. */
const composites: readonly (readonly string[])[] = [
  ['forward_layer', 'backward_layer'],
  ['query_dense', 'key_dense', 'value_dense', 'output_dense'],
];

interface Place {
  readonly tensor: TensorDraft;
  /** With its slash: `layers/dense/`. */
  readonly layer: string;
  readonly part: number;
  readonly number: number;
}

/** Null: it lies somewhere that has no order. */
function placeOf(tensor: TensorDraft): Place | null {
  const [layer] = layerPrefix.exec(tensor.name) ?? [];
  if (layer === undefined) return null;
  const rest = tensor.name.slice(layer.length);
  const own = variable.exec(rest);
  if (own) return { tensor, layer, part: 0, number: Number(own[1]) };
  const slash = rest.indexOf('/');
  const inner = variable.exec(rest.slice(slash + 1));
  for (const parts of composites) {
    const part = parts.indexOf(rest.slice(0, slash));
    if (inner && part >= 0) return { tensor, layer, part, number: Number(inner[1]) };
  }
  return null;
}

export interface OrderHints {
  /** Address of each array's header: they are made in the order of storing. */
  readonly headers: ReadonlyMap<string, number>;
  /** Place of an outermost layer in the model's configuration, by its group (`layers/dense`). */
  readonly configured: ReadonlyMap<string, number>;
}

/** The parameters in the model's order; null where it cannot be told. */
export function inModelOrder(
  parameters: readonly TensorDraft[],
  { headers, configured }: OrderHints,
): TensorDraft[] | null {
  const places: Place[] = [];
  const firsts = new Map<string, number>();
  for (const tensor of parameters) {
    const place = placeOf(tensor);
    if (!place) return null;
    places.push(place);
    const header = headers.get(tensor.name) ?? 0;
    firsts.set(place.layer, Math.min(firsts.get(place.layer) ?? header, header));
  }
  const outermost = ({ layer }: Place) => layer.split('/').slice(0, 2).join('/');
  // An order that is half one and half the other is none.
  const isConfigured = places.every((place) => configured.has(outermost(place)));
  const rank = (place: Place) => (isConfigured ? (configured.get(outermost(place)) ?? 0) : 0);
  places.sort((a, b) => {
    const byLayer = rank(a) - rank(b) || (firsts.get(a.layer) ?? 0) - (firsts.get(b.layer) ?? 0);
    return byLayer || a.part - b.part || a.number - b.number;
  });
  return places.map(({ tensor }) => tensor);
}
