/** The object graph of a TensorFlow checkpoint: what Python called the variables behind its keys. */
import { Buffer } from 'node:buffer';
import { wireFields } from '../protobuf.ts';

/** A variable that an optimizer keeps for another one (Keras 2). */
export interface SlotReference {
  /** Keys of the checkpoint. */
  readonly variable: string;
  readonly slot: string;
  readonly name: string;
}

export interface ObjectGraph {
  /** Full names by key: `adam/sequential_hidden_kernel_momentum`. */
  readonly names: ReadonlyMap<string, string>;
  readonly slots: readonly SlotReference[];
}

interface RawSlot {
  readonly variable: number;
  readonly name: string;
  readonly slot: number;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

function attribute(message: Uint8Array): { fullName: string; key: string } {
  let [fullName, key] = ['', ''];
  for (const field of wireFields(message)) {
    if (field.kind !== 'bytes') continue;
    if (field.number === 2) fullName = text(field.bytes);
    if (field.number === 3) key = text(field.bytes);
  }
  return { fullName, key };
}

function slotReference(message: Uint8Array): RawSlot {
  let [variable, name, slot] = [0, '', 0];
  for (const field of wireFields(message)) {
    if (field.number === 1 && field.kind === 'varint') variable = Number(field.value);
    if (field.number === 2 && field.kind === 'bytes') name = text(field.bytes);
    if (field.number === 3 && field.kind === 'varint') slot = Number(field.value);
  }
  return { variable, name, slot };
}

/** @throws ProtobufFault */
export function readObjectGraph(message: Uint8Array): ObjectGraph {
  const names = new Map<string, string>();
  const keys: (string | null)[] = [];
  const raw: RawSlot[] = [];
  for (const node of wireFields(message)) {
    if (node.number !== 1 || node.kind !== 'bytes') continue;
    let own: string | null = null;
    for (const field of wireFields(node.bytes)) {
      if (field.kind !== 'bytes') continue;
      if (field.number === 2) {
        const { fullName, key } = attribute(field.bytes);
        if (fullName !== '' && !names.has(key)) names.set(key, fullName);
        own ??= key;
      }
      if (field.number === 3) raw.push(slotReference(field.bytes));
    }
    keys.push(own);
  }
  const slots = raw.flatMap(({ variable, name, slot }) => {
    const [variableKey, slotKey] = [keys[variable], keys[slot]];
    return variableKey && slotKey ? [{ variable: variableKey, slot: slotKey, name }] : [];
  });
  return { names, slots };
}
