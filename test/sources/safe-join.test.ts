import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { safeJoin } from '../../src/sources/safe-join.ts';

const hostile = [
  '',
  '/etc/passwd',
  '../../etc/passwd',
  'sub/../../x',
  'sub/..',
  '..',
  '..\\x.safetensors',
  '\\\\host\\share\\x',
  'C:\\secret',
  'C:secret',
  'c:/secret',
  'file:///etc/passwd',
  'https://host/x',
  'model.safetensors\0.png',
];

describe('safeJoin', () => {
  it.each(hostile.map((name) => [JSON.stringify(name), name]))('refuses %s', (_shown, name) => {
    let thrown: unknown;
    try {
      safeJoin('/run/checkpoint', name);
    } catch (error) {
      thrown = error;
    }
    expect(isLaikaError(thrown, 'path-unreadable')).toBe(true);
  });

  it.each([
    'model.safetensors',
    'sub/model.safetensors',
    '..model',
    'a..b',
    'naïve name.pt',
    'epoch=3-step:5.ckpt',
    '__proto__',
  ])('joins %s', (name) => {
    expect(safeJoin('/run', name)).toBe(join('/run', name));
  });
});
