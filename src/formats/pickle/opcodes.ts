/** The opcodes of protocols 0 to 5, by their byte. */
import type { Buffer } from 'node:buffer';
import { makeByCall, makeInstance } from './construct.ts';
import { PickleFault } from './fault.ts';
import {
  maxDecimalDigits,
  maxLongBytes,
  maxNameBytes,
  maxProtocol,
  maxStringBytes,
} from './limits.ts';
import type { Machine } from './machine.ts';
import {
  decodeLong,
  decodeQuoted,
  decodeRawUnicode,
  parseDecimal,
  parseFloatText,
} from './numbers.ts';
import { emptyDict, isSequence, type PickleGlobal, type PickleValue } from './values.ts';

export type Opcode = (machine: Machine) => void;

function sized(machine: Machine, length: number, maxBytes: number): Buffer {
  // What the file does not hold is damage; what it holds and is too long is a limit.
  if (length > maxBytes && length <= machine.reader.remaining) {
    machine.limit(`${maxBytes} bytes in one value`);
  }
  return machine.reader.take(length);
}

function text(machine: Machine, length: number): void {
  machine.push(sized(machine, length, maxStringBytes).toString('utf8'));
}

/** Python 2 text: its bytes as they are. */
function latin(machine: Machine, length: number): void {
  machine.push(sized(machine, length, maxStringBytes).toString('latin1'));
}

function bytes(machine: Machine, length: number): void {
  const { buffer, byteOffset } = sized(machine, length, maxStringBytes);
  machine.push(new Uint8Array(buffer, byteOffset, length));
}

function long(machine: Machine, length: number): void {
  if (length < 0) machine.fault(`an integer of ${length} bytes`);
  machine.push(decodeLong(sized(machine, length, maxLongBytes)));
}

function index(machine: Machine): number | bigint | null {
  return parseDecimal(machine.reader.line(maxDecimalDigits));
}

function intLine(machine: Machine): void {
  const line = machine.reader.line(maxDecimalDigits + 2);
  if (line === '01' || line === '00') {
    machine.push(line === '01');
    return;
  }
  const value = parseDecimal(line.trim());
  if (value === null) machine.fault('an integer that is none');
  machine.push(value);
}

function longLine(machine: Machine): void {
  const value = parseDecimal(
    machine.reader
      .line(maxDecimalDigits + 2)
      .trim()
      .replace(/L$/, ''),
  );
  if (value === null) machine.fault('an integer that is none');
  machine.push(value);
}

function floatLine(machine: Machine): void {
  const value = parseFloatText(machine.reader.line(maxDecimalDigits).trim());
  if (value === null) machine.fault('a number that is none');
  machine.push(value);
}

function stringLine(machine: Machine): void {
  const value = decodeQuoted(machine.reader.line(maxStringBytes));
  if (value === null) machine.fault('a string without its quotes');
  machine.push(value);
}

function tuple(machine: Machine, length: number): void {
  const items: PickleValue[] = new Array(length);
  for (let i = length - 1; i >= 0; i -= 1) items[i] = machine.pop();
  machine.push({ kind: 'tuple', items });
}

function name(machine: Machine, module: PickleValue, attribute: PickleValue): PickleGlobal {
  if (typeof module !== 'string' || typeof attribute !== 'string') {
    machine.fault('a name that is no text');
  }
  if (module.length > maxNameBytes || attribute.length > maxNameBytes) {
    machine.fault(`a name of ${Math.max(module.length, attribute.length)} characters`);
  }
  const global: PickleGlobal = { kind: 'global', module, name: attribute, offset: machine.offset };
  machine.ledger.meet(global);
  return global;
}

function nameLines(machine: Machine): PickleGlobal {
  const module = machine.reader.line(maxNameBytes);
  return name(machine, module, machine.reader.line(maxNameBytes));
}

function stackName(machine: Machine): void {
  const attribute = machine.pop();
  machine.push(name(machine, machine.pop(), attribute));
}

function argumentsOf(machine: Machine, value: PickleValue): readonly PickleValue[] {
  if (!isSequence(value)) machine.fault('arguments that are no tuple');
  return value.items;
}

function reduce(machine: Machine): void {
  const args = argumentsOf(machine, machine.pop());
  machine.push(makeByCall(machine.pop(), args, machine));
}

function newObject(machine: Machine): void {
  const args = argumentsOf(machine, machine.pop());
  machine.push(makeInstance(machine.pop(), args, machine));
}

function newObjectWithNames(machine: Machine): void {
  const named = machine.pop();
  const args = argumentsOf(machine, machine.pop());
  machine.spend(args.length);
  machine.push(makeInstance(machine.pop(), [...args, named], machine));
}

function instanceByLines(machine: Machine): void {
  const callee = nameLines(machine);
  machine.push(makeByCall(callee, machine.popMark(), machine));
}

function instanceByMark(machine: Machine): void {
  const [callee, ...args] = machine.popMark();
  if (callee === undefined) machine.fault('an instance without a class');
  machine.push(makeByCall(callee, args, machine));
}

function extension(machine: Machine, code: number): void {
  machine.ledger.oddity(`uses the extension code ${code} of copyreg`, machine.offset);
  const callee: PickleGlobal = {
    kind: 'global',
    module: 'copyreg',
    name: `extension ${code}`,
    offset: machine.offset,
  };
  machine.push(callee);
}

function build(machine: Machine): void {
  const state = machine.pop();
  machine.setState(machine.top(), state);
}

function append(machine: Machine): void {
  const item = machine.pop();
  machine.appendTo(machine.top(), [item]);
}

function appends(machine: Machine): void {
  const items = machine.popMark();
  machine.appendTo(machine.top(), items);
}

function setItem(machine: Machine): void {
  const value = machine.pop();
  const key = machine.pop();
  machine.setItems(machine.top(), [key, value]);
}

function setItems(machine: Machine): void {
  const items = machine.popMark();
  machine.setItems(machine.top(), items);
}

function dictOfMark(machine: Machine): void {
  const items = machine.popMark();
  const dict = emptyDict();
  machine.setItems(dict, items);
  machine.push(dict);
}

function protocol(machine: Machine): void {
  const version = machine.reader.u8();
  if (version > maxProtocol) machine.fault(`protocol ${version} does not exist`);
}

function frame(machine: Machine): void {
  const length = machine.reader.u64();
  const { remaining } = machine.reader;
  if (length <= remaining) return;
  throw new PickleFault(`a frame of ${length} bytes where ${remaining} are left`, true);
}

const opcodes: readonly (readonly [number, Opcode])[] = [
  [0x28, (m) => m.mark()],
  [0x29, (m) => m.push({ kind: 'tuple', items: [] })],
  [0x30, (m) => m.discard()],
  [0x31, (m) => void m.popMark()],
  [0x32, (m) => m.push(m.top())],
  [0x42, (m) => bytes(m, m.reader.u32())],
  [0x43, (m) => bytes(m, m.reader.u8())],
  [0x46, floatLine],
  [0x47, (m) => m.push(m.reader.f64())],
  [0x49, intLine],
  [0x4a, (m) => m.push(m.reader.i32())],
  [0x4b, (m) => m.push(m.reader.u8())],
  [0x4c, longLine],
  [0x4d, (m) => m.push(m.reader.u16())],
  [0x4e, (m) => m.push(null)],
  [0x50, (m) => m.refer(m.reader.line(maxNameBytes))],
  [0x51, (m) => m.refer(m.pop())],
  [0x52, reduce],
  [0x53, stringLine],
  [0x54, (m) => latin(m, m.reader.i32())],
  [0x55, (m) => latin(m, m.reader.u8())],
  [0x56, (m) => m.push(decodeRawUnicode(m.reader.line(maxStringBytes)))],
  [0x58, (m) => text(m, m.reader.u32())],
  [0x5d, (m) => m.push({ kind: 'list', items: [] })],
  [0x61, append],
  [0x62, build],
  [0x63, (m) => m.push(nameLines(m))],
  [0x64, dictOfMark],
  [0x65, appends],
  [0x67, (m) => m.recall(index(m))],
  [0x68, (m) => m.recall(m.reader.u8())],
  [0x69, instanceByLines],
  [0x6a, (m) => m.recall(m.reader.u32())],
  [0x6c, (m) => m.push({ kind: 'list', items: m.popMark() })],
  [0x6f, instanceByMark],
  [0x70, (m) => m.remember(index(m))],
  [0x71, (m) => m.remember(m.reader.u8())],
  [0x72, (m) => m.remember(m.reader.u32())],
  [0x73, setItem],
  [0x74, (m) => m.push({ kind: 'tuple', items: m.popMark() })],
  [0x75, setItems],
  [0x7d, (m) => m.push(emptyDict())],
  [0x80, protocol],
  [0x81, newObject],
  [0x82, (m) => extension(m, m.reader.u8())],
  [0x83, (m) => extension(m, m.reader.u16())],
  [0x84, (m) => extension(m, m.reader.i32())],
  [0x85, (m) => tuple(m, 1)],
  [0x86, (m) => tuple(m, 2)],
  [0x87, (m) => tuple(m, 3)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [0x8a, (m) => long(m, m.reader.u8())],
  [0x8b, (m) => long(m, m.reader.i32())],
  [0x8c, (m) => text(m, m.reader.u8())],
  [0x8d, (m) => text(m, m.reader.u64())],
  [0x8e, (m) => bytes(m, m.reader.u64())],
  [0x8f, (m) => m.push({ kind: 'set', items: [] })],
  [0x90, appends],
  [0x91, (m) => m.push({ kind: 'set', items: m.popMark() })],
  [0x92, newObjectWithNames],
  [0x93, stackName],
  [0x94, (m) => m.memoize()],
  [0x95, frame],
  [0x96, (m) => bytes(m, m.reader.u64())],
  [0x97, (m) => m.fault('a buffer from outside the file')],
  [0x98, (m) => m.fault('a buffer from outside the file')],
];

/** STOP ends the pickle; the loop that runs the opcodes looks for it. */
export const stopOpcode = 0x2e;

/** The handler of each byte, or undefined where no opcode has it. */
export const opcodeTable: readonly (Opcode | undefined)[] = (() => {
  const table: (Opcode | undefined)[] = new Array(256).fill(undefined);
  for (const [code, run] of opcodes) table[code] = run;
  return table;
})();
