// Every kernel: the one text that is compiled. src/engines/cuda/kernels.ts has the list.
#include "summary.cu"
#include "digest.cu"
#include "copy.cu"
#include "movement.cu"
#include "laws.cu"
