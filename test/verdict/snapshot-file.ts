/** Writes Laika's snapshot layout from plain arrays: small checkpoints for tests of what is said of them. */
import { writeFileSync } from 'node:fs';

export interface SnapshotParts {
  readonly step: number;
  /** `SLOT/NAME` → values, float32. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** `SLOT/NAME` → whole numbers, int64. */
  readonly whole?: Readonly<Record<string, readonly number[]>>;
  readonly lr?: number;
  readonly betas?: readonly [number, number];
  readonly optimizer?: string;
  readonly tied?: Readonly<Record<string, string>>;
}

export function writeSnapshot(path: string, parts: SnapshotParts): string {
  const names = Object.keys(parts.tensors);
  const owners = names.flatMap((name) => /^(?:exp_avg|row_var)\/(.*)$/.exec(name)?.[1] ?? []);
  const group = {
    lr: parts.lr ?? 1e-3,
    betas: parts.betas ?? [0.9, 0.999],
    eps: 1e-8,
    weight_decay: 0,
    amsgrad: false,
    maximize: false,
    foreach: null,
    capturable: false,
    differentiable: false,
    fused: null,
    decoupled_weight_decay: true,
  };
  const metadata = {
    'laika.snapshot': '1',
    step: String(parts.step),
    optimizer: parts.optimizer ?? 'AdamW',
    groups: JSON.stringify([group]),
    parameter_groups: JSON.stringify(Object.fromEntries(owners.map((name) => [name, 0]))),
    ...(parts.tied ? { tied: JSON.stringify(parts.tied) } : {}),
  };
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  const data = names.map((name) => {
    const values = new Float32Array(parts.tensors[name] as number[]);
    const end = offset + values.byteLength;
    const shape = name.startsWith('step/') ? [] : [values.length];
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
    return Buffer.from(values.buffer);
  });
  for (const [name, numbers] of Object.entries(parts.whole ?? {})) {
    const values = BigInt64Array.from(numbers, BigInt);
    const end = offset + values.byteLength;
    header[name] = { dtype: 'I64', shape: [1, values.length], data_offsets: [offset, end] };
    offset = end;
    data.push(Buffer.from(values.buffer));
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([size, text, ...data]));
  return path;
}

/** One healthy parameter of `n` elements after `step` steps of constant gradients, in float64. */
export function healthy(name: string, step: number, at = 0, n = 64): Record<string, number[]> {
  const gradient = Array.from({ length: n }, (_, i) => Math.sin(i + 1 + at) || 1);
  const m = gradient.map((g) => g * (1 - 0.9 ** step));
  const v = gradient.map((g) => g * g * (1 - 0.999 ** step));
  const w = gradient.map((g, i) => Math.cos(i) - 1e-3 * step * Math.sign(g));
  return {
    [`parameter/${name}`]: w,
    [`exp_avg/${name}`]: m,
    [`exp_avg_sq/${name}`]: v,
    [`step/${name}`]: [step],
  };
}
