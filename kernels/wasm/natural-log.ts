// ln x of two float64; src/laws/natural-log.ts defines it, operation by operation.

// Constants lie in memory, each in both lanes: loading one costs less than making it anew for every
// element.
const TERMS = memory.data<f64>(
  [
    2.0 / 21.0,
    2.0 / 21.0,
    2.0 / 19.0,
    2.0 / 19.0,
    2.0 / 17.0,
    2.0 / 17.0,
    2.0 / 15.0,
    2.0 / 15.0,
    2.0 / 13.0,
    2.0 / 13.0,
    2.0 / 11.0,
    2.0 / 11.0,
    2.0 / 9.0,
    2.0 / 9.0,
    2.0 / 7.0,
    2.0 / 7.0,
    2.0 / 5.0,
    2.0 / 5.0,
    2.0 / 3.0,
    2.0 / 3.0,
    2.0,
    2.0,
  ],
  16,
);
const LN2 = memory.data<f64>([0.6931471805599453, 0.6931471805599453], 16);
const SQRT2 = memory.data<f64>([1.4142135623730951, 1.4142135623730951], 16);
const ONE = memory.data<f64>([1, 1], 16);
const HALF = memory.data<f64>([0.5, 0.5], 16);
const BIAS = memory.data<f64>([1023, 1023], 16);
const MANTISSA = memory.data<u64>([0x000fffffffffffff, 0x000fffffffffffff], 16);
const SMALLEST_NORMAL = memory.data<f64>([2.2250738585072014e-308, 2.2250738585072014e-308], 16);
const INFINITY = memory.data<f64>([Infinity, Infinity], 16);

/** ln of normal, positive, finite x; `raised` is added to the exponent of 2. */
// @ts-ignore: decorator
@inline
function logOfNormal(x: v128, raised: v128): v128 {
  const one = v128.load(ONE);
  const biased = i64x2.shr_u(x, 52);
  let exponent = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(biased, biased, 0, 2, 0, 2));
  exponent = f64x2.add(f64x2.sub(exponent, v128.load(BIAS)), raised);
  let mantissa = v128.or(v128.and(x, v128.load(MANTISSA)), one);
  const large = f64x2.gt(mantissa, v128.load(SQRT2));
  mantissa = f64x2.mul(mantissa, f64x2.sub(one, v128.and(v128.load(HALF), large)));
  exponent = f64x2.add(exponent, v128.and(one, large));
  const s = f64x2.div(f64x2.sub(mantissa, one), f64x2.add(mantissa, one));
  const z = f64x2.mul(s, s);
  let series = f64x2.mul(v128.load(TERMS), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 16)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 32)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 48)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 64)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 80)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 96)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 112)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 128)), z);
  series = f64x2.mul(f64x2.add(series, v128.load(TERMS, 144)), z);
  return f64x2.add(
    f64x2.mul(exponent, v128.load(LN2)),
    f64x2.mul(s, f64x2.add(v128.load(TERMS, 160), series)),
  );
}

/**
 * The same for every x: a subnormal is scaled, 0 gives -Infinity, Infinity itself, all else NaN.
 */
function logOfAny(x: v128): v128 {
  const zero = f64x2.splat(0);
  const infinity = f64x2.splat(Infinity);
  const small = f64x2.lt(x, f64x2.splat(f64.MIN_NORMAL_VALUE));
  const scaled = v128.bitselect(f64x2.mul(x, f64x2.splat(18014398509481984.0)), x, small);
  const log = logOfNormal(scaled, v128.and(f64x2.splat(-54), small));
  const edge = v128.bitselect(infinity, f64x2.splat(NaN), f64x2.eq(x, infinity));
  const special = v128.bitselect(f64x2.splat(-Infinity), edge, f64x2.eq(x, zero));
  return v128.bitselect(log, special, v128.and(f64x2.gt(x, zero), f64x2.lt(x, infinity)));
}

// @ts-ignore: decorator
@inline
export function naturalLog(x: v128): v128 {
  const isNormal = v128.and(
    f64x2.ge(x, v128.load(SMALLEST_NORMAL)),
    f64x2.lt(x, v128.load(INFINITY)),
  );
  if (i64x2.all_true(isNormal)) return logOfNormal(x, f64x2.splat(0));
  return logOfAny(x);
}
