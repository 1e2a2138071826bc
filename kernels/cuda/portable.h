// What kernels are written in: CUDA where it compiles for a GPU, plain C++ where a test compiles the
// same text for the host. A kernel is a list of steps over the threads of its group; between two
// steps everybody waits, and a thread carries nothing from one step to the next but shared memory.
// Nothing depends on the order in which threads run: sums have one fixed order, atomics are integer
// ones whose order does not show.
#pragma once

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef long long i64;
typedef unsigned long long u64;

/** Threads of a group. */
#define GROUP 256

#ifdef LAIKA_HOST

/** The group that runs, and in which order its threads do: any order must give the same. */
extern u32 laikaGroup;
extern u32 laikaStride;
#define KERNEL extern "C" void
#define DEVICE static inline
#define METHOD static inline
#define SHARED static
#define STEP for (u32 turn = 0, thread; thread = turn * laikaStride % GROUP, turn < GROUP; turn++)
#define WAIT
#define ROLLED
#define UNROLLED

DEVICE u32 group() { return laikaGroup; }
DEVICE void addTo(u32 *at, u32 value) { *at += value; }
DEVICE void orInto(u32 *at, u32 value) { *at |= value; }
DEVICE void raise(u32 *at, u32 value) { *at = *at < value ? value : *at; }
DEVICE u32 bitsOf(float x) {
  u32 bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}
DEVICE u64 bitsOf(double x) {
  u64 bits;
  __builtin_memcpy(&bits, &x, 8);
  return bits;
}
DEVICE double realOf(u64 bits) {
  double x;
  __builtin_memcpy(&x, &bits, 8);
  return x;
}
DEVICE double root(double x) { return __builtin_sqrt(x); }
DEVICE double size(double x) { return __builtin_fabs(x); }

#else

#define KERNEL extern "C" __global__ void __launch_bounds__(GROUP)
#define DEVICE __device__ __forceinline__
#define METHOD static __device__ __forceinline__
#define SHARED __shared__
#define STEP for (u32 thread = threadIdx.x, once = 1; once; once = 0)
#define WAIT __syncthreads();
#define ROLLED _Pragma("unroll 1")
#define UNROLLED _Pragma("unroll")

DEVICE u32 group() { return blockIdx.x; }
DEVICE void addTo(u32 *at, u32 value) { atomicAdd(at, value); }
DEVICE void orInto(u32 *at, u32 value) { atomicOr(at, value); }
DEVICE void raise(u32 *at, u32 value) { atomicMax(at, value); }
DEVICE u32 bitsOf(float x) { return __float_as_uint(x); }
DEVICE u64 bitsOf(double x) { return (u64)__double_as_longlong(x); }
DEVICE double realOf(u64 bits) { return __longlong_as_double((i64)bits); }
DEVICE double root(double x) { return __dsqrt_rn(x); }
DEVICE double size(double x) { return fabs(x); }

#endif

#define INFINITE realOf(0x7ff0000000000000ull)
#define NOT_A_NUMBER realOf(0x7ff8000000000000ull)

DEVICE bool isFinite(double x) { return (bitsOf(x) & 0x7ff0000000000000ull) != 0x7ff0000000000000ull; }
DEVICE bool isNaN(double x) { return x != x; }

/** Elements of a block, chains of a block, blocks of a group: src/records/grid.ts. */
#define BLOCK 1024u
#define CHAINS 8u
#define GROUP_BLOCKS (GROUP / CHAINS)

/** The sum of one block from its chains, in the one order. */
DEVICE double combine(const double *c) {
  return c[0] + c[1] + (c[2] + c[3]) + (c[4] + c[5] + (c[6] + c[7]));
}
