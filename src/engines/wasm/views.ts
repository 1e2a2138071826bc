/** Typed views over the memory that host and kernels share. */

export class Views {
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
  readonly data: DataView;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.data = new DataView(buffer);
  }

  /** The u32 at a byte address. */
  uint(address: number): number {
    return this.u32[address >>> 2] as number;
  }

  /** The i32 at a byte address. */
  int(address: number): number {
    return this.i32[address >>> 2] as number;
  }

  /** The float64 at a byte address. */
  real(address: number): number {
    return this.f64[address >>> 3] as number;
  }
}
