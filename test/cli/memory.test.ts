/** A checkpoint larger than memory should be: 2 GiB stay under 300 MB resident. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { laika } from './laika.ts';

/** A safetensors file with one float32 tensor of `bytes`, holes but for its first page. */
function makeSparse(path: string, bytes: number): void {
  const entry = { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] };
  const text = JSON.stringify({ 'embed.weight': entry });
  const header = Buffer.alloc(8 + text.length);
  header.writeBigUInt64LE(BigInt(text.length));
  header.write(text, 8);
  const file = openSync(path, 'w');
  writeSync(file, header);
  writeSync(file, Buffer.from(new Float32Array([1, 2, 3]).buffer));
  writeSync(file, Buffer.alloc(1), 0, 1, header.length + bytes - 1);
  closeSync(file);
}

it('validates 2 GiB in less than 300 MB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'laika-memory-'));
  try {
    const path = join(folder, 'model.safetensors');
    makeSparse(path, 2 ** 31);
    const { code, stdout, peakBytes } = await laika(['inspect', path, '--output', 'json']);
    expect(code).toBe(0);
    const [tensor] = JSON.parse(stdout).tensors;
    expect(tensor).toMatchObject({ elements: 2 ** 29, zero: 2 ** 29 - 3, max: 3 });
    const validated = await laika(['validate', path, '--output', 'json']);
    expect(validated.code).toBe(0);
    if (peakBytes > 0) expect(Math.max(peakBytes, validated.peakBytes)).toBeLessThan(300e6);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
