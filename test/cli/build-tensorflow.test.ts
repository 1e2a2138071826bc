import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/package.ts';

function build(...args: string[]) {
  const program = join(packageRoot, 'dist', 'cli', 'build-tensorflow.js');
  const { status, stdout, stderr } = spawnSync('node', [program, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('tensorflow:build', () => {
  it.each([[], ['--python'], ['--pyhton', 'python3'], ['--python', 'a', 'b']])(
    'says how it is called: %j',
    (...args) => {
      const { status, stdout, stderr } = build(...(args as string[]));
      expect(status).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^laika: Say where TensorFlow is\n/);
      expect(stderr).toContain('next   npm run tensorflow:build -- --python python3');
    },
  );

  it('ends with exit 2 and one command where there is no such Python', () => {
    const { status, stderr } = build('--python', '/no/such/python');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^laika: There is no such Python\n {2}where {2}\/no\/such\/python\n/);
    expect(stderr.match(/ {2}next /g)).toHaveLength(1);
  });
});
