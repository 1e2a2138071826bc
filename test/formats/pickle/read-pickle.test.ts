import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../../src/checkpoint/errors.ts';
import { ByteReader } from '../../../src/formats/pickle/byte-reader.ts';
import { Machine } from '../../../src/formats/pickle/machine.ts';
import { readPickle } from '../../../src/formats/pickle/read-pickle.ts';
import { emptyDict, isTagged, type PickleValue } from '../../../src/formats/pickle/values.ts';

interface Fixture {
  /** Pickles by protocol, 0 to 5, in hexadecimal. */
  readonly cases: readonly { name: string; value: unknown; pickles: readonly string[] }[];
  readonly cyclic: readonly string[];
}

const fixture: Fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/pickle/values.json'), 'utf8'),
);

const hex = (text: string) => Buffer.from(text, 'hex');
const latin = (text: string) => Buffer.from(text, 'latin1');

/** As make.py spells values, but for the kind of a number: JavaScript has one. */
function spell(value: PickleValue | undefined): unknown {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return { number: String(value) };
  if (typeof value === 'string') return { str: value };
  if (!isTagged(value)) return { bytes: Buffer.from(value).toString('hex') };
  switch (value.kind) {
    case 'list':
    case 'tuple':
    case 'set':
      return { [value.kind]: value.items.map(spell) };
    case 'dict':
      return { dict: [...value.entries].map(([key, item]) => [spell(key), spell(item)]) };
    default:
      return { [value.kind]: true };
  }
}

function numbersAsOurs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbersAsOurs);
  if (typeof value !== 'object' || value === null) return value;
  const [[kind, inner]] = Object.entries(value) as [[string, unknown]];
  if (kind === 'int') return { number: String(BigInt(inner as string)) };
  if (kind !== 'float') return { [kind]: numbersAsOurs(inner) };
  const text = (inner as string).replace('inf', 'Infinity').replace('nan', 'NaN');
  return { number: String(Number(text)) };
}

describe('pickles that CPython made', () => {
  it.each(fixture.cases)('$name, in protocols 0 to 5', ({ value, pickles }) => {
    expect(pickles).toHaveLength(6);
    for (const [protocol, bytes] of pickles.entries()) {
      const reading = readPickle(hex(bytes), 'test');
      expect(reading.fault, `protocol ${protocol}`).toBeNull();
      expect(spell(reading.value), `protocol ${protocol}`).toEqual(numbersAsOurs(value));
      expect(reading.calls, `protocol ${protocol}`).toEqual([]);
      expect(reading.endOffset).toBe(bytes.length / 2);
    }
  });

  it('keep what is shared shared, and cycles cycles', () => {
    for (const bytes of fixture.cyclic) {
      const { value } = readPickle(hex(bytes), 'test');
      expect(isTagged(value) && value.kind === 'list' && value.items[1]).toBe(value);
    }
    const shared = fixture.cases.find(({ name }) => name === 'shared')?.pickles ?? [];
    for (const bytes of shared) {
      const { value } = readPickle(hex(bytes), 'test');
      const items = isTagged(value) && value.kind === 'list' ? value.items : [];
      expect(items[0]).toBe(items[1]);
    }
  });

  it('cut at any byte break off, and only there', () => {
    const whole = hex(fixture.cases.find(({ name }) => name === 'state')?.pickles[2] ?? '');
    expect(whole.length).toBeGreaterThan(80);
    for (let length = 0; length < whole.length; length += 1) {
      const reading = readPickle(whole.subarray(0, length), 'test');
      expect(reading.value, `${length} bytes`).toBeUndefined();
      expect(reading.fault).not.toBeNull();
      expect(reading.endOffset).toBeLessThanOrEqual(length);
    }
  });
});

describe('the words of older protocols', () => {
  it.each([
    ["S'it\\'s'\n.", { str: "it's" }],
    ["S'\\x41\\n\\101'\n.", { str: 'A\nA' }],
    ['U\x03abc.', { str: 'abc' }],
    ['T\x02\x00\x00\x00\xe9b.', { str: '\u00e9b' }],
    ['V\\u20ac\n.', { str: '€' }],
    ['I01\n.', true],
    ['I00\n.', false],
    ['I-7\n.', { number: '-7' }],
    ['L123456789012345678901L\n.', { number: '123456789012345678901' }],
    ['F1e3\n.', { number: '1000' }],
    ['(lp0\nI1\naI2\na.', { list: [{ number: '1' }, { number: '2' }] }],
    ["(dp0\nS'a'\nI1\ns.", { dict: [[{ str: 'a' }, { number: '1' }]] }],
    ["(S'a'\nI1\nd.", { dict: [[{ str: 'a' }, { number: '1' }]] }],
    ['(I1\nI2\nt0]2tp9\n0g9\n.', undefined],
    ['(I1\n1N.', null],
    ['N2\x86.', { tuple: [null, null] }],
  ])('%j', (text, value) => {
    expect(spell(readPickle(latin(text), 'test').value)).toEqual(value);
  });
});

describe('broken pickles', () => {
  it.each([
    ['nothing at all', ''],
    ['no opcode', '\xff.'],
    ['an empty stack', '.'],
    ['two values at the end', 'NN.'],
    ['a mark at the end', '(N.'],
    ['a value below the mark', 'N(\x85.'],
    ['no mark', 'Nt.'],
    ['a memo that was never filled', 'h\x05.'],
    ['an odd number of items', '}(Nu.'],
    ['a list as a key', '}(]Nu.'],
    ['items for a tuple', ')(Ne.'],
    ['attributes for a number', 'K\x01}b.'],
    ['a text that is called', 'U\x01x)R.'],
    ['arguments that are no tuple', 'cbuiltins\nset\nNR.'],
    ['a name that is no text', 'K\x01K\x01\x93.'],
    ['a protocol to come', '\x80\x06N.'],
    ['a frame past the end', '\x95\xff\x00\x00\x00\x00\x00\x00\x00N.'],
    ['a length below zero', 'T\xff\xff\xff\xff.'],
    ['an integer below zero bytes', '\x8b\xff\xff\xff\xff.'],
    ['a buffer from elsewhere', '\x97.'],
    ['a line without end', 'I12'],
    ['an integer of letters', 'Iabc\n.'],
    ['a string without quotes', 'Sabc\n.'],
    ['a decimal of 5,000 digits', `L${'9'.repeat(5000)}L\n.`],
  ])('%s: told, not thrown', (_name, text) => {
    const { value, fault } = readPickle(latin(text), 'test');
    expect(value).toBeUndefined();
    expect(fault).toMatch(/\w/);
  });

  it('allocate nothing for a length that the file does not have', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const opcode of ['X', 'B', 'T']) {
      const bytes = latin(`${opcode}\xff\xff\xff\x7fabc`);
      expect(readPickle(bytes, 'test').fault).toContain('2147483647 bytes');
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });
});

/** Remembers under indices that no pickler would take. */
function farther(): (machine: Machine) => void {
  let index = 10;
  return (machine) => {
    index += 2;
    machine.remember(index);
  };
}

/** Sets one entry after the other in one dictionary. */
function numbered(): (machine: Machine) => void {
  const dict = emptyDict();
  let key = 0;
  return (machine) => {
    key += 1;
    machine.setItems(dict, [key, null]);
  };
}

describe('memory', () => {
  const thing = emptyDict();
  const machine = () => new Machine(new ByteReader(Buffer.alloc(0), 0), 'test', 100_000);
  const made: [string, (machine: Machine) => void][] = [
    ['dictionaries', (m) => m.push({ kind: 'dict', entries: new Map() } as never)],
    ['lists', (m) => m.push({ kind: 'list', items: [] })],
    ['long texts', (m) => m.push('x'.repeat(640))],
    ['items', (m) => m.appendTo({ kind: 'list', items: [] }, [1, 2, 3])],
    ['remembered values', (m) => m.memoize()],
    ['values remembered out of order', farther()],
    ['entries', numbered()],
    ['bytes', (m) => m.push(new Uint8Array(1))],
    ['fractions', (m) => m.push(0.5)],
    ['long integers', (m) => m.push(2n ** 2000n)],
    ['attributes set again', (m) => m.setState(thing, null)],
    ['references', (m) => m.refer(null)],
    ['copies', (m) => m.spend(1)],
  ];

  it.each(made)('that %s take is counted, up to a limit', (_, make) => {
    const full = machine();
    full.push(1);
    let count = 0;
    const fill = () => {
      for (; count < 100_000; count += 1) make(full);
    };
    expect(fill).toThrow('bytes of memory');
    expect(count).toBeGreaterThan(50);
  });

  it('of a value that is met again is counted once', () => {
    const again = machine();
    again.push({ kind: 'list', items: [] });
    again.memoize();
    for (let i = 0; i < 10_000; i += 1) again.recall(0);
    expect(again.height).toBe(10_001);
  });
});

describe('limits', () => {
  const limited = (bytes: Uint8Array): boolean => {
    try {
      readPickle(bytes, 'somewhere.pt');
      return false;
    } catch (error) {
      expect(isLaikaError(error) && error.details.where).toBe('somewhere.pt');
      return isLaikaError(error, 'limit-exceeded');
    }
  };

  it('hold for the stack and for open marks', () => {
    expect(limited(Buffer.alloc(1_000_010, 'N'))).toBe(true);
    expect(limited(Buffer.alloc(1_000_010, '('))).toBe(true);
  });

  it('hold for copies made by calls, however few bytes ask for them', () => {
    const list = Buffer.concat([
      latin(']q\x00('),
      Buffer.alloc(100_000, 'N'),
      latin('ecbuiltins\nset\nq\x010'),
    ]);
    const again = latin('h\x01h\x00\x85R0').toString('latin1').repeat(600);
    expect(limited(Buffer.concat([list, latin(`${again}N.`)]))).toBe(true);
  });

  it('are no way to hide a call that was already met', () => {
    const call = latin('cos\nsystem\n(U\x04echotR0');
    const { calls } = readPickle(Buffer.concat([call, Buffer.alloc(1_000_010, 'N')]), 'test');
    expect(calls).toMatchObject([{ kind: 'code' }]);
  });

  it('leave sparse memo indices alone', () => {
    expect(readPickle(hex('4e72ffffffff306affffffff2e'), 'test').value).toBeNull();
  });
});
