// Every law that a sweep judges, as src/laws writes it, operation by operation: nothing is fused,
// so ratios come out to the last bit. Constants stand in the order of src/engines/cuda/law-kernels.ts.
#include "judge.h"

/** src/laws/natural-log.ts. */
DEVICE double naturalLog(double x) {
  if (!(x > 0)) return x == 0 ? -INFINITE : NOT_A_NUMBER;
  if (x == INFINITE) return x;
  int exponent = 0;
  double scaled = x;
  if (x < 2.2250738585072014e-308) {
    scaled = x * 18014398509481984.0;
    exponent = -54;
  }
  u64 bits = bitsOf(scaled);
  exponent += (int)(bits >> 52) - 1023;
  double mantissa = realOf((bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    exponent += 1;
  }
  double s = (mantissa - 1) / (mantissa + 1);
  double z = s * s;
  const double terms[10] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                            2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  double series = 0;
  UNROLLED
  for (int j = 9; j >= 0; j--) series = (series + terms[j]) * z;
  return exponent * 0.6931471805599453 + s * (2 + series);
}

struct MomentBound {
  static const u32 operands = 2;
  METHOD Sides sides(const double *e, const double *c) {
    double constant = c[0], finite = c[1], firstDrift = c[2], secondDrift = c[3], cast = c[4];
    double m = e[0], v = e[1];
    if (finite == 0) return {-v, 0};
    double magnitude = larger(0, size(m) * (1 - cast) - firstDrift);
    return {v < 0 ? INFINITE : magnitude * magnitude, constant * (v * (1 + cast) + secondDrift)};
  }
};

struct MomentIncrement {
  static const u32 operands = 4;
  METHOD Sides sides(const double *e, const double *c) {
    double constant = c[0], finite = c[1], middle = c[2], half = c[3], inherited = c[4];
    double firstDrift = c[5], secondDrift = c[6], cast = c[7];
    double widened = 1 + cast;
    double gained = e[3] * widened + secondDrift - inherited * e[1];
    if (finite == 0) return {-gained, 0};
    double base = size(e[0]);
    double slack = half * base + firstDrift + cast * (size(e[2]) + middle * base);
    double moved = larger(0, size(e[2] - middle * e[0]) - slack) * (1 - cast);
    return {gained < 0 ? INFINITE : moved * moved, constant * gained * widened};
  }
};

struct BoundedUpdate {
  static const u32 operands = 6;
  METHOD double budget(const double *e, const double *c) {
    double steps = c[0], cap = c[1], inheritedShare = c[2], fresh = c[3], decayLog = c[4];
    double secondFresh = c[5], grown = c[6], floor = c[7], spare = c[8], cast = c[9];
    double vBase = e[3] * (1 - cast) + floor;
    double vHead = e[4] * (1 + cast) + floor;
    double growth = naturalLog(vHead / vBase) + decayLog;
    double energy = larger(0, lesser(growth, steps)) / secondFresh;
    double inherited = (inheritedShare * size(e[2] * (1 + cast))) / root(vBase);
    double driven = inherited + fresh * root(steps * energy);
    double bound = driven < cap ? driven : cap;
    double top = vHead * grown;
    if (c[18] == 1 && !(e[5] <= top)) top = e[5];
    double reach = root(top);
    if (isFinite(reach)) bound *= reach / (reach + spare);
    return isNaN(bound) ? INFINITE : bound;
  }
  METHOD Sides sides(const double *e, const double *c) {
    double weightCast = c[10], rate = c[11], middle = c[12], half = c[13], roundingShare = c[14];
    double nearest = c[15], decayRounding = c[16], tiny = c[17];
    double left = size(e[1] - e[0] * middle);
    double move = rate * budget(e, c);
    if (!isFinite(move)) return {left, INFINITE};
    double base = size(e[0]);
    double rounding = roundingShare * (base + move);
    if (nearest == 1) {
      double doubled = move + decayRounding * (base + 2 * move);
      if (doubled < rounding) rounding = doubled;
    }
    double cast = weightCast * (base + size(e[1]) + move);
    return {left, move + base * half + rounding + tiny + cast};
  }
};

struct CappedUpdate {
  static const u32 operands = 2;
  METHOD Sides sides(const double *e, const double *c) {
    double move = c[0], middle = c[1], half = c[2], rounding = c[3], decayRounding = c[4];
    double tiny = c[5], cast = c[6];
    double base = size(e[0]);
    double grown = rounding * (base + move);
    double doubled = move + decayRounding * (base + 2 * move);
    double right = move + base * half + (doubled < grown ? doubled : grown) + tiny +
                   cast * (base + size(e[1]) + move);
    return {size(e[1] - e[0] * middle), right};
  }
};

struct SecondMomentDecay {
  static const u32 operands = 2;
  METHOD Sides sides(const double *e, const double *c) {
    return {c[0] * e[0], e[1] * c[2] + c[1]};
  }
};

struct MaximumDominates {
  static const u32 operands = 3;
  METHOD Sides sides(const double *e, const double *c) {
    double top = larger(e[1], (e[0] + c[0]) * c[1]);
    double low = larger(e[0], e[1]);
    double above = isNaN(top) ? -INFINITE : e[2] - top;
    return {larger(low - e[2], above), 0};
  }
};

struct ReplayMoments {
  static const u32 operands = 4;
  METHOD Sides sides(const double *e, const double *c) {
    double beta1 = c[0], fresh1 = c[1], beta2 = c[2], fresh2 = c[3], headError = c[4];
    double baseError = c[5], gradientError = c[6], underflow = c[7], secondBase = c[8];
    double secondHead = c[9], secondUnderflow = c[10], squareError = c[11];
    double gradient = (e[2] - beta1 * e[0]) / fresh1;
    double length = size(gradient);
    double error =
        headError * size(e[2]) + baseError * size(e[0]) + underflow + gradientError * length;
    double want = beta2 * e[1] + fresh2 * gradient * gradient;
    double farthest = length + error;
    double slack = secondBase * size(e[1]) + secondHead * size(e[3]) + secondUnderflow +
                   fresh2 * (2 * length * error + error * error) +
                   squareError * farthest * farthest;
    return {size(e[3] - want), slack};
  }
};

struct ReplayWeights {
  static const u32 operands = 5;
  METHOD Sides sides(const double *e, const double *c) {
    double rate = c[0], firstCorrection = c[1], secondCorrection = c[2], eps = c[3], kept = c[4];
    double stepError = c[5], baseError = c[6], headError = c[7], underflow = c[8];
    double v = c[9] == 1 ? e[4] : e[3];
    double unit = e[2] / firstCorrection / (root(v) / secondCorrection + eps);
    double step = rate * unit;
    double slack =
        stepError * size(step) + baseError * size(e[0]) + headError * size(e[1]) + underflow;
    return {size(e[1] - (e[0] * kept - step)), slack};
  }
};

struct ReplayGradient {
  static const u32 operands = 3;
  METHOD Sides sides(const double *e, const double *c) {
    double beta1 = c[0], fresh = c[1], headError = c[2], baseError = c[3], gradientError = c[4];
    double underflow = c[5];
    double gradient = (e[1] - beta1 * e[0]) / fresh;
    double error = headError * size(e[1]) + baseError * size(e[0]) + underflow +
                   gradientError * size(gradient);
    return {size(gradient - e[2]), error};
  }
};

struct ReplaySgd {
  static const u32 operands = 4;
  METHOD Sides sides(const double *e, const double *c) {
    double rate = c[0], momentum = c[1], nesterov = c[2], stepError = c[3], weightError = c[4];
    double underflow = c[5];
    double wBase = e[0], wHead = e[1], base = e[2], head = e[3];
    if (wBase == wHead && base == head) return {0, 0};
    double step = nesterov == 1 ? head - momentum * base + momentum * head : head;
    double scale = nesterov == 1 ? size(head) * (1 + momentum) + momentum * size(base) : size(head);
    double slack = stepError * scale + weightError * (size(wBase) + size(wHead)) + underflow;
    return {size(wBase - rate * step - wHead), slack};
  }
};

struct RunningVariance {
  static const u32 operands = 1;
  METHOD Sides sides(const double *e, const double *) { return {-e[0], 0}; }
};

struct ReplayAverage {
  static const u32 operands = 3;
  METHOD Sides sides(const double *e, const double *c) {
    double share = c[0], half = c[1], updateError = c[2], tiny = c[3];
    double way = e[2] - e[0];
    double slack = updateError * (size(e[0]) + size(e[2])) + tiny;
    return {size(e[1] - (e[0] + share * way)), half * size(way) + slack};
  }
};

struct AverageBetween {
  static const u32 operands = 4;
  METHOD Sides sides(const double *e, const double *c) {
    double slack = c[0], tiny = c[1];
    double low = lesser(lesser(e[0], e[2]), e[3]);
    double high = larger(larger(e[0], e[2]), e[3]);
    double widest = larger(size(low), size(high));
    return {larger(larger(0, low - e[1]), e[1] - high), 2 * slack * widest + tiny};
  }
};

/** Elements of a line whose behaviour is evidence. */
#define LEAST 12u

struct StateProgress {
  static const u32 operands = 5;
  /** Distance from |x| to the next larger float32. */
  METHOD double spacing(double x) {
    u32 exponent = (bitsOf((float)size(x)) >> 23) & 255;
    int power = exponent == 0 ? -149 : (int)exponent - 150;
    return realOf((u64)(power + 1023) << 52);
  }
  METHOD bool relevant(const double *e, const double *c) {
    double subject = c[0], inherited = c[1], share = c[2], rate = c[3], eps = c[4];
    double wBase = e[0], mBase = e[1], vBase = e[2], mHead = e[3], vHead = e[4];
    if (subject == 0) {
      double push = rate * size(mHead);
      double step = push / (root(vHead) + eps);
      return push > 0x1p-120 && step > 64 * spacing(wBase);
    }
    if (!(vBase > 1e-30)) return false;
    double square = mBase * mBase;
    if (subject == 2) return size(square - vBase) > 1e-3 * vBase;
    bool rests =
        size(vHead - inherited * vBase - share * square) <= 1e-2 * share * vHead;
    return !rests && size(mBase) > 1e-30;
  }
  METHOD int judge(const u32 *base, const u32 *head, u32 relevant) {
    u32 stood = 0;
    bool uniform = true;
    ROLLED
    for (u32 i = 0; i < LINE_ELEMENTS; i++) {
      if ((head[i] & 0x7fffffff) != (head[0] & 0x7fffffff)) uniform = false;
      if ((relevant >> i & 1) && base[i] == head[i]) stood++;
    }
    u32 wanted = countOf(relevant);
    if (wanted < LEAST || uniform) return -1;
    return stood != wanted;
  }
};

struct NoBlankLines {
  static const u32 operands = 3;
  METHOD bool relevant(const double *e, const double *c) {
    if (c[0] == 1) return c[1] * size(e[1]) > 1e-30;
    if (c[0] == 2) return c[2] * e[2] > 1e-30;
    return e[0] != 0 && !isNaN(e[0]);
  }
  METHOD int judge(const u32 *, const u32 *head, u32 relevant) {
    if (countOf(relevant) < LEAST) return -1;
    u32 any = 0;
    ROLLED
    for (u32 i = 0; i < LINE_ELEMENTS; i++) any |= head[i];
    return any != 0;
  }
};

KERNEL momentBound(LawArgs a) { judgeElements<MomentBound>(a); }
KERNEL momentIncrement(LawArgs a) { judgeElements<MomentIncrement>(a); }
KERNEL boundedUpdate(LawArgs a) { judgeElements<BoundedUpdate>(a); }
KERNEL cappedUpdate(LawArgs a) { judgeElements<CappedUpdate>(a); }
KERNEL secondMomentDecay(LawArgs a) { judgeElements<SecondMomentDecay>(a); }
KERNEL maximumDominates(LawArgs a) { judgeElements<MaximumDominates>(a); }
KERNEL replayMoments(LawArgs a) { judgeElements<ReplayMoments>(a); }
KERNEL replayWeights(LawArgs a) { judgeElements<ReplayWeights>(a); }
KERNEL replayGradient(LawArgs a) { judgeElements<ReplayGradient>(a); }
KERNEL replaySgd(LawArgs a) { judgeElements<ReplaySgd>(a); }
KERNEL runningVariance(LawArgs a) { judgeElements<RunningVariance>(a); }
KERNEL replayAverage(LawArgs a) { judgeElements<ReplayAverage>(a); }
KERNEL averageBetween(LawArgs a) { judgeElements<AverageBetween>(a); }
KERNEL stateProgress(LawArgs a) { judgeLines<StateProgress>(a); }
KERNEL noBlankLines(LawArgs a) { judgeLines<NoBlankLines>(a); }
