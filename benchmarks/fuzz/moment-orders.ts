/** Orders of operations in which Adam's moments are updated, as frameworks really do it. */
import { flushed, toBf16 } from './rounding.ts';
import type { Step } from './state.ts';

const { fround } = Math;

/** torch ≤ 1.13 on CPU: mul_, add_(g, α); v by mul_, addcmul_ as (α·g)·g. */
export const mulAdd: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, c1, b2, c2] = [fround(beta1), fround(1 - beta1), fround(beta2), fround(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = fround(b1 * (m[i] as number)) + fround(c1 * each);
    v[i] = fround(b2 * (v[i] as number)) + fround(fround(c2 * each) * each);
  }
};

/** The same with torch.set_flush_denormal. */
export const mulAddFlushed: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, c1, b2, c2] = [fround(beta1), fround(1 - beta1), fround(beta2), fround(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = flushed(g[i] as number);
    m[i] = flushed(flushed(b1 * (m[i] as number)) + flushed(c1 * each));
    v[i] = flushed(flushed(b2 * (v[i] as number)) + flushed(flushed(c2 * each) * each));
  }
};

/** The same on CUDA: addcmul_ is α·(g·g). */
export const mulAddSquareFirst: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, c1, b2, c2] = [fround(beta1), fround(1 - beta1), fround(beta2), fround(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = fround(b1 * (m[i] as number)) + fround(c1 * each);
    v[i] = fround(b2 * (v[i] as number)) + fround(c2 * fround(each * each));
  }
};

/** ATen's lerp: from the end that is nearer. */
function lerp(from: number, to: number, weight: number): number {
  const apart = fround(to - from);
  if (weight < 0.5) return fround(from + fround(weight * apart));
  return fround(to - fround(apart * fround(1 - weight)));
}

/** torch ≥ 2: m by lerp_. */
export const lerpFirst: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [c1, b2, c2] = [fround(1 - beta1), fround(beta2), fround(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = lerp(m[i] as number, each, c1);
    v[i] = fround(b2 * (v[i] as number)) + fround(fround(c2 * each) * each);
  }
};

/** Compiled optimizers: both by lerp_. */
export const lerpBoth: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [c1, c2] = [fround(1 - beta1), fround(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = lerp(m[i] as number, each, c1);
    v[i] = lerp(v[i] as number, fround(each * each), c2);
  }
};

/** torch fused: double inside, one rounding when stored. */
export const doubleInside: Step = ({ m, v, g }, { beta1, beta2 }) => {
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = beta1 * (m[i] as number) + (1 - beta1) * each;
    v[i] = beta2 * (v[i] as number) + (1 - beta2) * each * each;
  }
};

/** apex, DeepSpeed, Megatron: 1 − β from a float32 β. */
export const floatBetas: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, b2] = [fround(beta1), fround(beta2)];
  const [c1, c2] = [fround(1 - b1), fround(1 - b2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = fround(b1 * (m[i] as number)) + fround(c1 * each);
    v[i] = fround(b2 * (v[i] as number)) + fround(fround(c2 * each) * each);
  }
};

/** apex as nvcc contracts it: one fused multiply-add each, and results below 2^-126 flushed. */
export const floatBetasFlushed: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, b2] = [fround(beta1), fround(beta2)];
  const [c1, c2] = [fround(1 - b1), fround(1 - b2)];
  for (let i = 0; i < g.length; i++) {
    const each = flushed(g[i] as number);
    m[i] = flushed(b1 * (m[i] as number) + flushed(c1 * each));
    v[i] = flushed(b2 * (v[i] as number) + flushed(flushed(c2 * each) * each));
  }
};

/** bf16, every operation and every scalar rounded: β₂ = 0.999 becomes 1. */
export const bf16EachOperation: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, c1, b2, c2] = [toBf16(beta1), toBf16(1 - beta1), toBf16(beta2), toBf16(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = toBf16(toBf16(b1 * (m[i] as number)) + toBf16(c1 * each));
    v[i] = toBf16(toBf16(b2 * (v[i] as number)) + toBf16(toBf16(c2 * each) * each));
  }
};

/** bf16 state, float32 inside each operation of a kernel. */
export const bf16Inside: Step = ({ m, v, g }, { beta1, beta2 }) => {
  const [b1, c1, b2, c2] = [fround(beta1), fround(1 - beta1), fround(beta2), fround(1 - beta2)];
  for (let i = 0; i < g.length; i++) {
    const each = g[i] as number;
    m[i] = toBf16(fround(b1 * (m[i] as number)) + fround(c1 * each));
    v[i] = toBf16(fround(b2 * (v[i] as number)) + fround(fround(c2 * each) * each));
  }
};
