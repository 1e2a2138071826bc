/** A checkpoint larger than memory should be: 2 GiB stay under 300 MB resident. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { torchFile } from '../formats/torch-zip/archive-writer.ts';
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

/** A file of torch whose pickle is a list, filled with what `unit` makes. */
function makeBomb(path: string, unit: Buffer): void {
  const batch = Buffer.concat([
    Buffer.from('('),
    Buffer.alloc(1000 * unit.length, unit),
    Buffer.from('e'),
  ]);
  const list = Buffer.alloc(Math.floor(12e6 / batch.length) * batch.length, batch);
  writeFileSync(path, torchFile(Buffer.concat([Buffer.from(']'), list])));
}

it.each([
  ['dictionaries', Buffer.from('}')],
  ['attributes', Buffer.from('cx\nY\n)\x81NbNb', 'latin1')],
  ['bytes', Buffer.from('C\x01a', 'latin1')],
  ['tuples', Buffer.from(')')],
])('refuses a pickle of millions of %s in less than 600 MB', async (name, unit) => {
  const folder = mkdtempSync(join(tmpdir(), 'laika-memory-'));
  try {
    const path = join(folder, `${name}.pt`);
    makeBomb(path, unit);
    const { code, stderr, peakBytes } = await laika(['validate', path]);
    expect(code).toBe(2);
    expect(stderr).toContain('passes a limit');
    if (peakBytes > 0) expect(peakBytes).toBeLessThan(600e6);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

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
