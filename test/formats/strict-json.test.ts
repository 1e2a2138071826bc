import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { type JsonOptions, type JsonValue, readStrictJson } from '../../src/formats/strict-json.ts';

function read(text: string | Uint8Array, options: Partial<JsonOptions> = {}) {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return readStrictJson(bytes, { where: 'test', maxDepth: 8, ...options });
}

/** As JSON.parse would give it: maps become objects. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [key, plain(item as JsonValue)]));
  }
  return Array.isArray(value) ? value.map((item) => plain(item as JsonValue)) : value;
}

describe('strict JSON', () => {
  it.each([
    '{}',
    '[]',
    '0',
    '-0.0',
    ' [1, -2, 3.5, 1e3, 1E-2, 0.1, true, false, null] ',
    '{"a": {"b": [[], {}, [1, {"c": ""}]]}, "d": "e"}',
    '"\\u0041\\ud83d\\ude00\\n\\t\\b\\f\\r\\/\\\\\\""',
    '"naïve ñ 😀 \u202e"',
    '\t\n\r {"x" : [ 1 , 2 ] }\n',
    '9007199254740991',
    '[0, 10, 123456789012345, 1234567890123456, 00.5e1]'.replace('00', '0'),
    '1e400',
  ])('reads what JSON.parse reads: %s', (text) => {
    const document = read(text);
    expect(document.ok && plain(document.value)).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '{"a" 1}',
    '{a: 1}',
    "{'a': 1}",
    '[1 2]',
    '01',
    '00',
    '1a',
    '123456789012345a',
    '1 2',
    '+1',
    '.5',
    '1.',
    '1e',
    '--1',
    '0x10',
    'NaN',
    'Infinity',
    'nul',
    'True',
    '"a',
    '"\\x41"',
    '"\\u12"',
    '"tab\tin"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{} {}',
    '{}\0',
    '\ufeff{}',
    '}',
    '[}',
    ']',
    ',',
    '[1}',
    '{"a":1]',
    `[${'9'.repeat(1001)}]`,
  ])('refuses %s', (text) => {
    expect(read(text)).toMatchObject({ ok: false, message: expect.any(String) });
  });

  it('refuses bytes that are no UTF-8, wherever they are', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x5b, 0x80, 0x5d],
    ]) {
      expect(read(Uint8Array.from(bytes)).ok).toBe(false);
    }
  });

  it('says where it stopped', () => {
    expect(read('{"a": 1, "b": x}')).toMatchObject({ ok: false, offset: 14 });
    expect(read('{"a": 1')).toMatchObject({ ok: false, offset: 7 });
  });

  it('keeps integers exact', () => {
    const text = '[1, 9007199254740993, -9223372036854775809, 4.0, 1e2, -0]';
    const some = read(text);
    expect(some.ok && some.value).toEqual([
      1,
      9007199254740993n,
      -9223372036854775809n,
      4,
      100,
      -0,
    ]);
    const whole = read(text, { integersOnly: true });
    const exact = [1, 9007199254740993n, -9223372036854775809n, NaN, NaN, NaN];
    expect(whole.ok && whole.value).toEqual(exact);
  });

  it('reads Python’s numbers where that is allowed', () => {
    const document = read('[NaN, Infinity, -Infinity]', { allowNonFinite: true });
    expect(document.ok && document.value).toEqual([Number.NaN, Infinity, -Infinity]);
    expect(read('[-NaN]', { allowNonFinite: true }).ok).toBe(false);
  });

  it('tells of every name that comes twice, and keeps the last', () => {
    const document = read('{"a": 1, "b": {"c": 1, "\\u0063": 2}, "a": 3}');
    expect(document).toMatchObject({
      duplicates: [
        { name: 'c', path: ['b'], offset: 23 },
        { name: 'a', path: [], offset: 37 },
      ],
    });
    expect(document.ok && plain(document.value)).toEqual({ a: 3, b: { c: 2 } });
  });

  it('keeps names that mean something to JavaScript', () => {
    const document = read('{"__proto__": 1, "constructor": 2}');
    expect(document.ok && [...(document.value as Map<string, JsonValue>)]).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
  });

  it.each([
    ['depth', '['.repeat(9), {}],
    ['depth', '{"a":'.repeat(100_000), {}],
    ['memory, of empty objects', `[${'{},'.repeat(2000)}{}]`, { maxMemory: 100_000 }],
    ['memory, of names', `{${'"a":0,'.repeat(2000)}"b":0}`, { maxMemory: 100_000 }],
    ['memory, of text', `"${'x'.repeat(200_000)}"`, { maxMemory: 100_000 }],
    ['values', `[${'0,'.repeat(2000)}0]`, { maxValues: 1000 }],
  ])('stops at its limit of %s', (_limit, text, options) => {
    let thrown: unknown;
    try {
      read(text, options);
    } catch (error) {
      thrown = error;
    }
    expect(isLaikaError(thrown, 'limit-exceeded')).toBe(true);
  });

  it('allows exactly its depth', () => {
    expect(read(`${'['.repeat(8)}${']'.repeat(8)}`).ok).toBe(true);
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(read(deep, { maxDepth: 100_000 }).ok).toBe(true);
  });
});
