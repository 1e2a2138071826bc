/**
 * Calls into shared libraries: the one file that knows koffi, which is optional and loaded when it is
 * asked for.
 */

/** Numbers, addresses and handles (bigint), and memory of ours that the call may fill. */
export type ForeignValue = number | bigint | Uint8Array | Uint32Array | Int32Array | BigUint64Array;

/** Returns the call's status code. */
export type ForeignCall = (...values: readonly ForeignValue[]) => number;

export interface ForeignLibrary {
  /** The function of a C signature that returns an int; handles and addresses are `uint64_t`. */
  call(signature: string): ForeignCall;
}

/** Why a library cannot be called; null where it can. */
export type Opened =
  | { readonly library: ForeignLibrary; readonly missing: null }
  | { readonly library: null; readonly missing: 'package' | 'library' };

/** Opens the first of `names` that the system's loader finds. */
export async function openForeignLibrary(names: readonly string[]): Promise<Opened> {
  const koffi = await loadKoffi();
  if (!koffi) return { library: null, missing: 'package' };
  for (const name of names) {
    try {
      const handle = koffi.load(name);
      return { library: { call: (signature) => handle.func(signature) }, missing: null };
    } catch {
      // The loader's message names the file alone; the caller says what its absence means.
    }
  }
  return { library: null, missing: 'library' };
}

/** The `bytes` bytes at an address as memory of ours; it must not be touched once they are freed. */
export async function memoryAt(address: bigint, bytes: number): Promise<ArrayBuffer> {
  const koffi = await loadKoffi();
  if (!koffi) throw new Error('memory of a library that was never opened');
  return koffi.view(address, bytes);
}

async function loadKoffi() {
  try {
    return (await import('koffi')).default;
  } catch {
    // Not installed, or without a build for this platform: the same to whoever asks.
    return null;
  }
}
