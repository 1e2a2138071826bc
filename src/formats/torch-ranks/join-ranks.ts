/** Tensors that ranks share, joined from every rank's own file. */
import type { Problem } from '../../checkpoint/problem.ts';
import type { Box, Piece, Placement } from '../../checkpoint/tensor.ts';
import { tilingFault } from '../box-tiling.ts';
import { joinBoxes } from '../join-boxes.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';

/** What one rank saved. */
export interface RankContents {
  readonly rank: number;
  readonly file: string;
  readonly torch: TorchFile;
}

export interface JoinedRanks {
  readonly tensors: readonly TensorDraft[];
  readonly problems: readonly Problem[];
  /** Every shared tensor has all of its parts. */
  readonly isWhole: boolean;
}

/** FSDP1's own name for all parameters of a module in one vector. */
const flatName = /(^|[._])_?flat_param(_[0-9]+)?$/;

/**
 * Joins into the first rank's tensors. What every rank has as a whole is taken from the first: the
 * others repeat it.
 */
export function joinRanks(ranks: readonly RankContents[]): JoinedRanks {
  const joiner = new RankJoiner(ranks);
  return joiner.join();
}

class RankJoiner {
  readonly #ranks: readonly RankContents[];
  readonly #problems: Problem[] = [];
  readonly #hasFlat: boolean;
  #isWhole = true;

  constructor(ranks: readonly RankContents[]) {
    this.#ranks = ranks;
    this.#hasFlat = ranks.some(({ torch }) => {
      return [...torch.parts.keys()].some(({ name, shape }) => {
        return shape.length === 1 && flatName.test(name);
      });
    });
  }

  join(): JoinedRanks {
    const paths = new Map<string, TensorDraft>();
    for (const { torch } of this.#ranks) {
      for (const [path, draft] of torch.byPath) if (!paths.has(path)) paths.set(path, draft);
    }
    const taken = new Set<string>();
    for (const [path, draft] of paths) {
      const own = this.#ranks.flatMap(({ rank, file, torch }) => {
        const tensor = torch.byPath.get(path);
        return tensor ? [{ rank, file, tensor, parts: torch.parts.get(tensor) }] : [];
      });
      if (own.some(({ parts }) => parts)) this.#share(draft, own);
      else if (this.#isFlatState(draft)) stack(draft, own);
      while (taken.has(draft.name)) draft.name += '#';
      taken.add(draft.name);
    }
    return { tensors: [...paths.values()], problems: this.#problems, isWhole: this.#isWhole };
  }

  /** State of a vector that the ranks share is cut as the vector is, and says so nowhere. */
  #isFlatState({ name, shape, elements }: TensorDraft): boolean {
    return this.#hasFlat && shape.length === 1 && elements > 1 && /(^|\.)state\./.test(name);
  }

  #damage(rule: Problem['rule'], file: string, tensor: string, message: string): void {
    this.#problems.push({ rule, kind: 'damage', file, tensor, message });
    this.#isWhole = false;
  }

  #share(draft: TensorDraft, own: readonly OwnTensor[]): void {
    const { name, shape, dtype } = draft;
    const boxes = new Map<string, Box>();
    for (const { rank, file, tensor, parts = [] } of own) {
      if (!sameShape(tensor.shape, shape) || tensor.dtype !== dtype) {
        const message = `rank ${rank} holds it as ${tensor.dtype} [${tensor.shape}]`;
        this.#damage('shape-mismatch', file, name, `${message}, the first rank as [${shape}]`);
        return;
      }
      for (const { origin, sizes, placement } of parts) {
        const box: Box = { origin, sizes, placement, rank };
        // Ranks that repeat each other hold the same part.
        const key = `${origin}:${sizes}`;
        if (sizes.every((n) => n > 0) && !boxes.has(key)) boxes.set(key, box);
      }
    }
    const fault = tilingFault(shape, [...boxes.values()]);
    if (fault === null) draft.placement = joinBoxes(draft, [...boxes.values()]);
    else {
      draft.placement = { kind: 'absent', reason: 'a rank’s part of it is not there' };
      const message = `the ranks’ parts do not make it up: ${fault}`;
      this.#damage('shard-missing', own[0]?.file ?? '', name, message);
    }
  }
}

interface OwnTensor {
  readonly rank: number;
  readonly file: string;
  readonly tensor: TensorDraft;
  readonly parts: readonly Omit<Box, 'rank'>[] | undefined;
}

/** One rank's vector behind the other's; only plain ones can be. */
function stack(draft: TensorDraft, own: readonly OwnTensor[]): void {
  const pieces: Piece[] = [];
  let elements = 0;
  for (const { rank, tensor } of own) {
    const { placement } = tensor;
    if (placement.kind !== 'dense' || tensor.dtype !== draft.dtype) return;
    pieces.push(...placement.pieces.map((piece): Piece => ({ ...piece, rank })));
    elements += tensor.elements;
  }
  const joined: Placement = { kind: 'dense', pieces };
  draft.placement = joined;
  draft.shape = [elements];
  draft.elements = elements;
}
