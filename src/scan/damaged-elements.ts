/**
 * A second look at a tensor on which a law is broken: every broken element, not the worst alone. Only
 * damage is looked at twice, so a healthy checkpoint is still read once.
 */
import type { Tensor } from '../checkpoint/tensor.ts';
import { bitsAt, lawValueAt } from '../engines/reference/decode.ts';
import type { Constants, ElementLaw, Operand } from '../laws/law.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import type { Opened } from './scan.ts';

/** Larger tensors are not read again. */
const elementsMax = 64 * 1024 * 1024;

/** Broken elements kept; the pattern of more is the pattern of these. */
const indicesMax = 65_536;

const chunk = 65_536;

export interface DamagedElements {
  readonly indices: number[];
  readonly total: number;
  /** Stored bits of the blamed tensor at those indices, at head and base. */
  readonly headBits: bigint[];
  readonly baseBits: (bigint | null)[];
}

export interface SecondLook {
  readonly law: ElementLaw;
  readonly constants: Constants;
  /** Tensors of the law's operands, by end. */
  readonly operands: ReadonlyMap<Operand, Tensor>;
  /** The tensor that the finding names. */
  readonly blamed: Operand;
  readonly head: Opened;
  readonly base: Opened | null;
}

const widths: Readonly<Record<string, number>> = { f64: 8, f32: 4, f16: 2, bf16: 2 };

class Columns {
  readonly #look: SecondLook;
  readonly #views = new Map<Operand, { view: DataView; bytes: Uint8Array }>();

  constructor(look: SecondLook) {
    this.#look = look;
    for (const [operand, tensor] of look.operands) {
      const bytes = new Uint8Array(chunk * (widths[tensor.dtype] as number));
      this.#views.set(operand, { bytes, view: new DataView(bytes.buffer) });
    }
  }

  async read(first: number, count: number): Promise<void> {
    for (const [operand, tensor] of this.#look.operands) {
      const end = operand.endsWith('A') ? this.#look.base : this.#look.head;
      const { bytes } = this.#views.get(operand) as { bytes: Uint8Array };
      const into = bytes.subarray(0, count * (widths[tensor.dtype] as number));
      await readTensorBytes((end as Opened).source, tensor, { first, count, into });
    }
  }

  value(operand: Operand, index: number): number {
    const tensor = this.#look.operands.get(operand);
    const found = this.#views.get(operand);
    return tensor && found ? lawValueAt(tensor.dtype, found.view, index) : Number.NaN;
  }

  bits(operand: Operand, index: number): bigint | null {
    const tensor = this.#look.operands.get(operand);
    const found = this.#views.get(operand);
    return tensor && found ? bitsAt(tensor.dtype, found.view, index) : null;
  }
}

/** Every broken element; null where the tensor is too large or of a type that no law judges. */
export async function damagedElements(look: SecondLook): Promise<DamagedElements | null> {
  const { law, constants, operands, blamed } = look;
  const tensor = operands.get(blamed);
  if (!tensor || tensor.elements > elementsMax) return null;
  if ([...operands.values()].some(({ dtype }) => widths[dtype] === undefined)) return null;
  const columns = new Columns(look);
  const found: DamagedElements = { indices: [], total: 0, headBits: [], baseBits: [] };
  let total = 0;
  const before = blamed.replace('B', 'A') as Operand;
  for (let first = 0; first < tensor.elements; first += chunk) {
    const count = Math.min(chunk, tensor.elements - first);
    await columns.read(first, count);
    for (let i = 0; i < count; i++) {
      const values = law.operands.map((operand) => columns.value(operand, i));
      const judged = law.operands.every(
        (operand, j) => !operands.has(operand) || Number.isFinite(values[j]),
      );
      if (!judged) continue;
      const { left, right } = law.sides(values, constants);
      if (left <= right) continue;
      total += 1;
      if (found.indices.length === indicesMax) continue;
      found.indices.push(first + i);
      found.headBits.push(columns.bits(blamed, i) ?? 0n);
      found.baseBits.push(columns.bits(before, i));
    }
  }
  return { ...found, total };
}
