import { describe, expect, it } from 'vitest';
import { LiteralFault, readPythonLiteral } from '../../../src/formats/numpy/python-literal.ts';

describe('a Python literal', () => {
  it.each([
    ['1', 1n],
    ['-7L', -7n],
    ["'a\\x41\\u00e9\\''", "aAé'"],
    ['(2, 3)', [2n, 3n]],
    ['(2,)', [2n]],
    ['(2)', 2n],
    ['()', []],
    ['[True, False, None]', [true, false, null]],
    [" { 'a' : (1,), } \n", new Map([['a', [1n]]])],
  ])('%s is read as Python reads it', (text, value) => {
    expect(readPythonLiteral(text)).toEqual(value);
  });

  it.each([
    '',
    '1 2',
    '1.5',
    '0x10',
    'print(1)',
    "__import__('os')",
    "{'a': 1, 'a': 2}",
    '{1: 2}',
    "{'a' 1}",
    '(1 2)',
    "'open",
    '[',
    `${'('.repeat(40)}`,
    '9'.repeat(40),
  ])('%j is refused', (text) => {
    expect(() => readPythonLiteral(text)).toThrow(LiteralFault);
  });
});
