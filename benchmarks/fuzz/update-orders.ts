/** Orders of operations in which Adam moves a weight. `root` is v, or AMSGrad's maximum of it. */
import { flushed, toBf16 } from './rounding.ts';
import type { State, StepNumbers } from './state.ts';

const { fround, sqrt } = Math;

export type Update = (state: State, root: Float32Array, numbers: StepNumbers) => void;

/** 1 − βᵗ in double; 1 without bias correction. */
function corrections({ t, beta1, beta2, biasCorrection }: StepNumbers): [number, number] {
  return biasCorrection ? [1 - beta1 ** t, 1 - beta2 ** t] : [1, 1];
}

/** The same where β, its power and the difference are float32. */
function floatCorrections({ t, beta1, beta2, biasCorrection }: StepNumbers): [number, number] {
  const one = (beta: number) => fround(1 - fround(fround(beta) ** t));
  return biasCorrection ? [one(beta1), one(beta2)] : [1, 1];
}

/** torch on CPU: addcdiv_ is w + (α·m)/denominator. */
export const scaleThenDivide: Update = ({ w, m }, root, numbers) => {
  const [first, second] = corrections(numbers);
  const [size, scale] = [fround(-numbers.rate / first), fround(sqrt(second))];
  const [eps, kept] = [fround(numbers.eps), fround(1 - numbers.rate * numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const below = fround(fround(fround(sqrt(root[i] as number)) / scale) + eps);
    const base = fround((w[i] as number) * kept);
    w[i] = base + fround(fround(size * (m[i] as number)) / below);
  }
};

/** The same with torch.set_flush_denormal. */
export const scaleThenDivideFlushed: Update = ({ w, m }, root, numbers) => {
  const [first, second] = corrections(numbers);
  const [size, scale] = [fround(-numbers.rate / first), fround(sqrt(second))];
  const [eps, kept] = [fround(numbers.eps), fround(1 - numbers.rate * numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const below = flushed(flushed(flushed(sqrt(root[i] as number)) / scale) + eps);
    const base = flushed((w[i] as number) * kept);
    w[i] = flushed(base + flushed(flushed(size * (m[i] as number)) / below));
  }
};

/** torch on CUDA and foreach: w + α·(m/denominator). */
export const divideThenScale: Update = ({ w, m }, root, numbers) => {
  const [first, second] = corrections(numbers);
  const [size, scale] = [fround(-numbers.rate / first), fround(sqrt(second))];
  const [eps, kept] = [fround(numbers.eps), fround(1 - numbers.rate * numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const below = fround(fround(fround(sqrt(root[i] as number)) / scale) + eps);
    const base = fround((w[i] as number) * kept);
    w[i] = base + fround(size * fround((m[i] as number) / below));
  }
};

/** torch capturable: float32 powers, and the step size inside the denominator. */
export const capturable: Update = ({ w, m }, root, numbers) => {
  const [first, second] = floatCorrections(numbers);
  const size = -fround(fround(numbers.rate) / first);
  const scale = fround(fround(sqrt(second)) * size);
  const eps = fround(fround(numbers.eps) / size);
  const kept = fround(1 - numbers.rate * numbers.decay);
  for (let i = 0; i < w.length; i++) {
    const below = fround(fround(fround(sqrt(root[i] as number)) / scale) + eps);
    const base = fround((w[i] as number) * kept);
    w[i] = base + fround((m[i] as number) / below);
  }
};

/** torch fused: double inside, one rounding when stored. */
export const doubleUpdate: Update = ({ w, m }, root, numbers) => {
  const [first, second] = corrections(numbers);
  const [size, scale] = [numbers.rate / first, sqrt(second)];
  const decay = numbers.rate * numbers.decay;
  for (let i = 0; i < w.length; i++) {
    const below = sqrt(root[i] as number) / scale + numbers.eps;
    const base = w[i] as number;
    w[i] = base - decay * base - (size * (m[i] as number)) / below;
  }
};

/** apex: m̂ and v̂ by division, the decay added to the update. */
export const decayInUpdate: Update = ({ w, m }, root, numbers) => {
  const [first, second] = floatCorrections(numbers);
  const [rate, eps, decay] = [fround(numbers.rate), fround(numbers.eps), fround(numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const below = fround(fround(sqrt(fround((root[i] as number) / second))) + eps);
    const update = fround(fround((m[i] as number) / first) / below);
    const base = w[i] as number;
    w[i] = base - fround(rate * fround(update + fround(decay * base)));
  }
};

/** An approximate root or quotient: 2 ulp off, upwards or downwards by the parity of `i`. */
function approximate(x: number, i: number): number {
  return flushed(x * (i & 1 ? 1 + 2 ** -22 : 1 - 2 ** -22));
}

/** apex with --use_fast_math: approximate root and divisions, underflow flushed. */
export const fastMath: Update = ({ w, m }, root, numbers) => {
  const [first, second] = floatCorrections(numbers);
  const [rate, eps, decay] = [fround(numbers.rate), fround(numbers.eps), fround(numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const hat = approximate((root[i] as number) / second, i);
    const below = flushed(approximate(sqrt(hat), i) + eps);
    const update = approximate(approximate((m[i] as number) / first, i + 1) / below, i + 1);
    const base = w[i] as number;
    w[i] = flushed(base - flushed(rate * flushed(update + flushed(decay * base))));
  }
};

/** bf16, every operation and every scalar rounded. */
export const bf16Update: Update = ({ w, m }, root, numbers) => {
  const [first, second] = corrections(numbers);
  const [size, scale] = [toBf16(-numbers.rate / first), toBf16(sqrt(second))];
  const [eps, kept] = [toBf16(numbers.eps), toBf16(1 - numbers.rate * numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const below = toBf16(toBf16(toBf16(sqrt(root[i] as number)) / scale) + eps);
    const base = toBf16((w[i] as number) * kept);
    w[i] = toBf16(base + toBf16(toBf16(size * (m[i] as number)) / below));
  }
};

/** bf16 weights, float32 inside each kernel: decay, root, division, sum are one each. */
export const bf16InsideUpdate: Update = ({ w, m }, root, numbers) => {
  const [first, second] = corrections(numbers);
  const [size, scale] = [fround(-numbers.rate / first), fround(sqrt(second))];
  const [eps, kept] = [fround(numbers.eps), fround(1 - numbers.rate * numbers.decay)];
  for (let i = 0; i < w.length; i++) {
    const below = toBf16(toBf16(toBf16(sqrt(root[i] as number)) / scale) + eps);
    const base = toBf16((w[i] as number) * kept);
    w[i] = toBf16(base + fround(fround(size * (m[i] as number)) / below));
  }
};
