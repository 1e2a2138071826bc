/**
 * Optimizers behind capped-update, replay-sgd and second-moment-decay, in torch's order of
 * operations.
 */
import type { Step } from './state.ts';
import type { Update } from './update-orders.ts';

const { fround, sqrt } = Math;

export const sgd: Step = ({ w, b, g }, { t, rate, momentum, dampening, nesterov }) => {
  const [mu, fresh, size] = [fround(momentum), fround(1 - dampening), fround(-rate)];
  for (let i = 0; i < w.length; i++) {
    const each = g[i] as number;
    const buffer = t === 1 ? each : fround(fround(mu * (b[i] as number)) + fround(fresh * each));
    b[i] = buffer;
    const direction = nesterov ? fround(each + fround(mu * buffer)) : buffer;
    w[i] = (w[i] as number) + fround(size * direction);
  }
};

export const lion: Step = ({ w, m, g }, { rate, beta1, beta2, decay }) => {
  const [b1, c1, b2, c2] = [fround(beta1), fround(1 - beta1), fround(beta2), fround(1 - beta2)];
  const kept = fround(1 - rate * decay);
  for (let i = 0; i < w.length; i++) {
    const each = g[i] as number;
    const old = m[i] as number;
    const sign = Math.sign(fround(fround(b1 * old) + fround(c1 * each)));
    w[i] = fround((w[i] as number) * kept) - fround(rate) * sign;
    m[i] = fround(b2 * old) + fround(c2 * each);
  }
};

/** α is β₂. */
export const rmsprop: Step = ({ w, v, b, g }, { rate, beta2, eps, momentum }) => {
  const [alpha, fresh, mu] = [fround(beta2), fround(1 - beta2), fround(momentum)];
  const [size, small] = [fround(-rate), fround(eps)];
  for (let i = 0; i < w.length; i++) {
    const each = g[i] as number;
    const second = fround(fround(alpha * (v[i] as number)) + fround(fround(fresh * each) * each));
    v[i] = second;
    const below = fround(fround(sqrt(second)) + small);
    if (momentum > 0) {
      const buffer = fround(fround(mu * (b[i] as number)) + fround(each / below));
      b[i] = buffer;
      w[i] = (w[i] as number) + fround(size * buffer);
    } else w[i] = (w[i] as number) + fround(fround(size * each) / below);
  }
};

export const adagrad: Step = ({ w, v, g }, { rate, eps }) => {
  const [size, small] = [fround(-rate), fround(eps)];
  for (let i = 0; i < w.length; i++) {
    const each = g[i] as number;
    const sum = fround((v[i] as number) + fround(each * each));
    v[i] = sum;
    w[i] = (w[i] as number) + fround(fround(size * each) / fround(fround(sqrt(sum)) + small));
  }
};

export const adamax: Step = ({ w, m, v, g }, { t, rate, beta1, beta2, eps }) => {
  const [b1, c1, b2] = [fround(beta1), fround(1 - beta1), fround(beta2)];
  const [size, small] = [fround(-rate / (1 - beta1 ** t)), fround(eps)];
  for (let i = 0; i < w.length; i++) {
    const each = g[i] as number;
    const first = fround(fround(b1 * (m[i] as number)) + fround(c1 * each));
    const norm = Math.max(fround(b2 * (v[i] as number)), fround(Math.abs(each) + small));
    m[i] = first;
    v[i] = norm;
    w[i] = (w[i] as number) + fround(fround(size * first) / norm);
  }
};

/** torch's default `momentum_decay`. */
export const momentumDecay = 0.004;

/** Π μ_s of the first t steps, by β₁. */
const products = new Map<number, number[]>();

function momentumAt(beta1: number, t: number): number {
  return beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
}

function momentumProduct(beta1: number, t: number): number {
  const known = products.get(beta1) ?? [1];
  products.set(beta1, known);
  while (known.length <= t) known.push((known.at(-1) as number) * momentumAt(beta1, known.length));
  return known[t] as number;
}

/** NAdam's update, for moments already moved. */
export const nadamUpdate: Update = ({ w, m, g }, root, { t, rate, beta1, beta2, eps, decay }) => {
  const mu = momentumAt(beta1, t);
  const next = momentumAt(beta1, t + 1);
  const product = momentumProduct(beta1, t);
  const fresh = fround((-rate * (1 - mu)) / (1 - product));
  const held = fround((-rate * next) / (1 - product * next));
  const [correction, small, kept] = [fround(1 - beta2 ** t), fround(eps), fround(1 - rate * decay)];
  for (let i = 0; i < w.length; i++) {
    const below = fround(fround(sqrt(fround((root[i] as number) / correction))) + small);
    const base = fround((w[i] as number) * kept);
    const moved = fround(base + fround(fround(fresh * (g[i] as number)) / below));
    w[i] = moved + fround(fround(held * (m[i] as number)) / below);
  }
};

/** RAdam's update: not divided by the root of v until its variance is tractable. */
export const radamUpdate: Update = ({ w, m }, root, { t, rate, beta1, beta2, eps, decay }) => {
  const last = 2 / (1 - beta2) - 1;
  const second = 1 - beta2 ** t;
  const rho = last - (2 * t * beta2 ** t) / second;
  const rectified = sqrt(((rho - 4) * (rho - 2) * last) / ((last - 4) * (last - 2) * rho));
  const [first, small, size] = [fround(1 - beta1 ** t), fround(eps), fround(-rate)];
  const [scale, factor] = [fround(sqrt(second)), fround(rectified)];
  const kept = fround(1 - rate * decay);
  for (let i = 0; i < w.length; i++) {
    const hat = fround((m[i] as number) / first);
    const base = fround((w[i] as number) * kept);
    const adapted = fround(scale / fround(fround(sqrt(root[i] as number)) + small));
    const update = rho > 5 ? fround(fround(hat * adapted) * factor) : hat;
    w[i] = base + fround(size * update);
  }
};
