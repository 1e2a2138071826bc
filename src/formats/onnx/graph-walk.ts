/** Every initializer of a model: of its graph, of the graphs inside nodes, and of its training. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { ByteSpan, WireWalker } from './wire-walker.ts';

export interface Initializer {
  readonly span: ByteSpan;
  /** Number of its graph, in the order of meeting; 0 is the model's own. */
  readonly graph: number;
}

export interface ModelWalk {
  readonly initializers: readonly Initializer[];
  readonly hasVersion: boolean;
  readonly hasGraph: boolean;
  readonly hasOperators: boolean;
  readonly sparse: number;
}

type Kind = 'model' | 'graph' | 'node' | 'attribute' | 'training' | 'function';

/** Fields of a message that hold other messages on the way to initializers. */
const inside: Readonly<Record<Kind, ReadonlyMap<number, Kind>>> = {
  model: new Map([
    [7, 'graph'],
    [20, 'training'],
    [25, 'function'],
  ]),
  training: new Map([
    [1, 'graph'],
    [2, 'graph'],
  ]),
  function: new Map([[7, 'node']]),
  graph: new Map([[1, 'node']]),
  node: new Map([[5, 'attribute']]),
  attribute: new Map([
    [6, 'graph'],
    [11, 'graph'],
  ]),
};

const initializerField = 5;
const sparseField = 15;

/** Graphs in graphs: a loop in a branch in a loop is three. */
const depthMost = 48;

const initializersMost = 1_000_000;

/** Messages that wait to be walked: the nodes of a graph, mostly. */
const pendingMost = 1_000_000;

interface Pending {
  readonly kind: Kind;
  readonly span: ByteSpan;
  readonly depth: number;
}

/**
 * Walks the messages of the file, iteratively.
 * @throws WireFault; LaikaError `limit-exceeded`, and as `WireWalker.fields`.
 */
export async function walkModel(
  walker: WireWalker,
  file: ByteSpan,
  where: string,
): Promise<ModelWalk> {
  const initializers: Initializer[] = [];
  const seen = new Set<number>();
  let sparse = 0;
  let graphs = 0;
  const pending: Pending[] = [{ kind: 'model', span: file, depth: 0 }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { kind, span, depth } = next;
    if (depth > depthMost) throw limit(`nests messages more than ${depthMost} deep`, where);
    const graph = graphs;
    if (kind === 'graph') graphs += 1;
    const found: Pending[] = [];
    for await (const field of walker.fields(span)) {
      if (kind === 'model') seen.add(field.number);
      if (field.kind !== 'bytes') continue;
      const child = inside[kind].get(field.number);
      if (child) found.push({ kind: child, span: field.span, depth: depth + 1 });
      if (pending.length + found.length > pendingMost) {
        throw limit(`holds more than ${pendingMost} nodes`, where);
      }
      if (kind !== 'graph') continue;
      if (field.number === initializerField) initializers.push({ span: field.span, graph });
      if (field.number === sparseField) sparse += 1;
      if (initializers.length > initializersMost) {
        throw limit(`lists more than ${initializersMost} tensors`, where);
      }
    }
    // In file order, so that windows are read forwards.
    for (const each of found.reverse()) pending.push(each);
  }
  const [hasVersion, hasGraph, hasOperators] = [seen.has(1), seen.has(7), seen.has(8)];
  return { initializers, hasVersion, hasGraph, hasOperators, sparse };
}

function limit(why: string, where: string): LaikaError {
  return new LaikaError({ code: 'limit-exceeded', what: `The model ${why}`, where });
}
