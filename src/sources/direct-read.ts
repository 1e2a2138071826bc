/**
 * Reads past the page cache (O_DIRECT), so that looking at a checkpoint does not push a trainer's
 * own data out of it. The system wants addresses, offsets and lengths in whole pages: bytes go
 * through one buffer that begins at a page.
 */
import { constants, readSync } from 'node:fs';

/** The part of the global that is used: Node's types do not declare it. */
interface MemoryApi {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
}

/** What every file system takes. */
const pageBytes = 4096;

const wasmPageBytes = 65_536;
const roomBytes = 1024 * 1024 + wasmPageBytes;

/** One a thread. A WebAssembly memory begins at a page; no other buffer says where it begins. */
let room: Uint8Array | null = null;

function roomOf(): Uint8Array {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: MemoryApi };
  room ??= new Uint8Array(new WebAssembly.Memory({ initial: roomBytes / wasmPageBytes }).buffer);
  return room;
}

/** The flag that opens a file for direct reads; null where the system has none. */
export function directFlag(): number | null {
  return (constants.O_DIRECT as number | undefined) ?? null;
}

/**
 * Fills a part of `into` from byte `position` and returns how much, 0 at the end of the file.
 * @throws a system error with code EINVAL where the file system refuses direct reads.
 */
export function readDirect(descriptor: number, into: Uint8Array, position: number): number {
  const buffer = roomOf();
  const before = position % pageBytes;
  const wanted = Math.min(buffer.length, before + into.length);
  const length = Math.ceil(wanted / pageBytes) * pageBytes;
  const count = readSync(descriptor, buffer, 0, length, position - before);
  const found = Math.max(0, Math.min(count - before, into.length));
  into.set(buffer.subarray(before, before + found));
  return found;
}
