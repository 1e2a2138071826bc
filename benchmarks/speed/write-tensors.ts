/** Writes a safetensors file of a given size from the numbers of another one. */
import { closeSync, existsSync, openSync, readSync, statSync, writeSync } from 'node:fs';

interface Entry {
  readonly dtype: string;
}

const widths: Readonly<Record<string, number>> = { F32: 4, BF16: 2, F16: 2 };

/** The element type of a file's first tensor, and where its numbers begin. */
function readHead(descriptor: number): { dtype: string; start: number } {
  const length = Buffer.alloc(8);
  readSync(descriptor, length, 0, 8, 0);
  const text = Buffer.alloc(Number(length.readBigUInt64LE()));
  readSync(descriptor, text, 0, text.length, 8);
  const header = JSON.parse(text.toString()) as Record<string, Entry>;
  const [first] = Object.entries(header).filter(([name]) => name !== '__metadata__');
  return { dtype: first?.[1].dtype ?? 'F32', start: 8 + text.length };
}

/** `bytes` of numbers from `from`, again and again, as `count` tensors. Kept where it is there. */
export function writeTensors(path: string, from: string, bytes: number, count = 8): void {
  if (existsSync(path)) return;
  const source = openSync(from, 'r');
  const { dtype, start } = readHead(source);
  const width = widths[dtype] ?? 4;
  const elements = Math.max(1, Math.floor(bytes / count / width));
  const size = elements * width;
  const header = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `layers.${i}.weight`,
      { dtype, shape: [elements], data_offsets: [i * size, (i + 1) * size] },
    ]),
  );
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  const into = openSync(path, 'w');
  writeSync(into, Buffer.concat([length, Buffer.from(text)]));
  const room = Math.floor((statSync(from).size - start) / 4096) * 4096;
  const buffer = Buffer.alloc(Math.min(room, 32 * 2 ** 20));
  for (let done = 0, at = 0; done < size * count; ) {
    const part = buffer.subarray(0, Math.min(buffer.length, size * count - done, room - at));
    readSync(source, part, 0, part.length, start + at);
    writeSync(into, part);
    done += part.length;
    at = (at + part.length) % room;
  }
  closeSync(into);
  closeSync(source);
}
