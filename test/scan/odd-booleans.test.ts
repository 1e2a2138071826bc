import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { judge } from '../../src/verdict/judge.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const folder = temporaryFolder();
const engine = await openReferenceEngine();

/** A safetensors file with one tensor of booleans. */
function write(name: string, values: readonly number[]): string {
  const entry = { dtype: 'BOOL', shape: [values.length], data_offsets: [0, values.length] };
  const header = Buffer.from(JSON.stringify({ mask: entry }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([length, header, Buffer.from(values)]));
  return path;
}

async function judged(path: string) {
  const request = { head: path, base: null, engine, options: {}, next: 'laika validate FILE' };
  return judge({ ...request, listTensors: false });
}

describe('a tensor of booleans', () => {
  it('is damaged where a byte is neither 0 nor 1, named with its element and place', async () => {
    const path = write('odd.safetensors', [0, 1, 1, 2, 0, 255]);
    const result = await judged(path);
    expect(result.verdict).toBe('corrupt');
    expect(result.findings).toMatchObject([{ rule: 'bool-value', tensor: 'mask' }]);
    expect(result.findings?.[0]?.message).toContain('2 of 6 booleans');
    expect(result.findings?.[0]?.message).toContain('element 3, which holds 2');
  });

  it('is quiet where every byte is 0 or 1', async () => {
    const result = await judged(write('even.safetensors', [0, 1, 1, 0]));
    expect(result.findings).toEqual([]);
  });
});
