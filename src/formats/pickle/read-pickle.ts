/** Reads one pickle symbolically: nothing in it is executed, imported or believed. */
import { isLaikaError } from '../../checkpoint/errors.ts';
import { ByteReader } from './byte-reader.ts';
import type { PickleCall } from './call-ledger.ts';
import { PickleFault } from './fault.ts';
import { maxMemoryBytes, maxOpcodes, maxPickleBytes } from './limits.ts';
import { Machine, pickleLimit } from './machine.ts';
import { opcodeTable, stopOpcode } from './opcodes.ts';
import type { PicklePersistent, PickleValue } from './values.ts';

export interface PickleReading {
  /** What the pickle describes; undefined where it broke off. */
  readonly value: PickleValue | undefined;
  /** First byte after STOP, or of the opcode that broke. */
  readonly endOffset: number;
  /** Why it broke off, a sentence; null where it did not. */
  readonly fault: string | null;
  /** It broke off because the bytes end. */
  readonly isCut: boolean;
  /** Names and calls worth a line, met before the end. */
  readonly calls: readonly PickleCall[];
  /** References to what lies outside, met before the end. */
  readonly persistents: readonly PicklePersistent[];
  /** Streams inside it that loading it would load, with the offsets of those calls. */
  readonly nested: ReadonlyMap<Uint8Array, number>;
}

/** True where the bytes begin as the protocols do that name themselves: 2 to 5. */
export function isPicklePrefix(head: Uint8Array): boolean {
  return head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5;
}

/** Runs until STOP. */
function run(machine: Machine): PickleValue {
  for (let count = 0; count < maxOpcodes; count += 1) {
    machine.offset = machine.reader.position;
    const code = machine.reader.u8();
    if (code === stopOpcode) {
      const value = machine.pop();
      if (machine.height > 0 || machine.openMarks > 0) machine.fault('values are left at its end');
      return value;
    }
    const opcode = opcodeTable[code];
    if (!opcode) machine.fault(`byte 0x${code.toString(16).padStart(2, '0')} is no opcode`);
    opcode(machine);
  }
  return machine.limit(`${maxOpcodes} opcodes`);
}

export interface PickleOptions {
  /** First byte of the pickle. */
  readonly start?: number;
  /** Bytes of memory for its values; by default what `bytes` leave of the limit. */
  readonly memory?: number;
}

/**
 * Reads one pickle. Broken ones are data; `where` is named when a limit is passed.
 * @throws LaikaError `limit-exceeded`.
 */
export function readPickle(
  bytes: Uint8Array,
  where: string,
  { start = 0, memory = maxMemoryBytes - bytes.length }: PickleOptions = {},
): PickleReading {
  if (bytes.length - start > maxPickleBytes) {
    throw pickleLimit(where, `its pickle is longer than ${maxPickleBytes} bytes`);
  }
  const machine = new Machine(new ByteReader(bytes, start), where, memory);
  const { persistents, nested } = machine;
  try {
    const value = run(machine);
    const endOffset = machine.reader.position;
    const calls = machine.ledger.calls();
    return { value, endOffset, fault: null, isCut: false, calls, persistents, nested };
  } catch (error) {
    const calls = machine.ledger.calls();
    // A limit must not hide what was already found: a hostile pickle could pass one on purpose.
    const told = isLaikaError(error, 'limit-exceeded') && calls.some(({ kind }) => kind === 'code');
    if (!(error instanceof PickleFault) && !told) throw error;
    const endOffset = machine.offset;
    const fault = (error as Error).message;
    const isCut = error instanceof PickleFault && error.isCut;
    return { value: undefined, endOffset, fault, isCut, calls, persistents, nested };
  }
}
