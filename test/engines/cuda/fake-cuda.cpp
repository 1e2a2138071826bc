// A CUDA driver and NVML without a GPU: device memory is host memory, and kernels are the ones of
// kernels/cuda compiled for the host. Work runs as late as the rules of streams and events allow, and
// groups and threads in ever another order, so that nothing can rely on luck. Faults are planted with
// fakeFail.
#define LAIKA_HOST
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../../../kernels/cuda/laika.cu"

u32 laikaGroup = 0;
u32 laikaStride = 1;

namespace {

using Launch = void (*)(u32 groups, void **parameters);

#define RUN(name, Args)                                                    \
  {                                                                        \
    #name, [](u32 groups, void **parameters) {                             \
      for (u32 turn = 0; turn < groups; turn++) {                          \
        laikaGroup = turn % 2 ? turn / 2 : groups - 1 - turn / 2;          \
        laikaStride = (laikaStride * 5 + 2) % GROUP | 1;                   \
        name(*static_cast<const Args *>(parameters[0]));                   \
      }                                                                    \
    }                                                                      \
  }

const std::map<std::string, Launch> kernels = {
    RUN(summariseF32, SummaryArgs),      RUN(summariseF64, SummaryArgs),
    RUN(summariseI32, SummaryArgs),      RUN(summariseU32, SummaryArgs),
    RUN(summariseI64, SummaryArgs),      RUN(summariseU64, SummaryArgs),
    RUN(summariseCode16, SummaryArgs),   RUN(summariseCode8, SummaryArgs),
    RUN(summariseCode4, SummaryArgs),    RUN(summariseC32, SummaryArgs),
    RUN(summariseC64, SummaryArgs),      RUN(summariseC128, SummaryArgs),
    RUN(squaresF32, SquaresArgs),        RUN(squaresF64, SquaresArgs),
    RUN(squaresI32, SquaresArgs),        RUN(squaresU32, SquaresArgs),
    RUN(squaresI64, SquaresArgs),        RUN(squaresU64, SquaresArgs),
    RUN(countCode16, CountArgs),         RUN(countCode8, CountArgs),
    RUN(countCode4, CountArgs),          RUN(digest, DigestArgs),
    RUN(compare4, CopyArgs),             RUN(compare8, CopyArgs),
    RUN(compare16, CopyArgs),            RUN(compare32, CopyArgs),
    RUN(compare64, CopyArgs),            RUN(compare128, CopyArgs),
    RUN(compareBfloat16, CopyArgs),      RUN(compareFloat16, CopyArgs),
    RUN(moveWeights, MovementArgs),      RUN(sumRows, RowArgs),
    RUN(momentBound, LawArgs),           RUN(momentIncrement, LawArgs),
    RUN(boundedUpdate, LawArgs),         RUN(cappedUpdate, LawArgs),
    RUN(secondMomentDecay, LawArgs),     RUN(maximumDominates, LawArgs),
    RUN(replayMoments, LawArgs),         RUN(replayWeights, LawArgs),
    RUN(replayGradient, LawArgs),        RUN(replaySgd, LawArgs),
    RUN(runningVariance, LawArgs),       RUN(replayAverage, LawArgs),
    RUN(averageBetween, LawArgs),
    RUN(stateProgress, LawArgs),         RUN(noBlankLines, LawArgs),
};

/** What the machine is; fakeMachine changes it. */
int driverVersion = 12040;
int devices = 1;
uint64_t totalMemory = 8ull << 30;
/** Processes that compute on device 0, and memory that is in use there. */
unsigned processes = 0;
uint64_t usedMemory = 0;

std::map<std::string, std::pair<int, long>> planned;
int sticky = 0;
std::map<uint64_t, uint64_t> deviceMemory;
std::map<uint64_t, uint64_t> hostMemory;
std::set<uint64_t> others;
uint64_t nextHandle = 1000;
long launches = 0;
int contexts = 0;

/** Counts calls of one name down to a planted fault, which poisons the context if it is a fault. */
int enter(const char *name) {
  if (sticky) return sticky;
  auto found = planned.find(name);
  if (found == planned.end() || found->second.second-- > 0) return 0;
  int code = found->second.first;
  planned.erase(found);
  if (code >= 200 && code != 222) sticky = code;
  return code;
}

uint64_t inUse() {
  uint64_t sum = usedMemory;
  for (auto &[at, size] : deviceMemory) sum += size;
  return sum;
}

bool isInside(const std::map<uint64_t, uint64_t> &memory, uint64_t at, uint64_t size) {
  auto next = memory.upper_bound(at);
  if (next == memory.begin()) return false;
  --next;
  return at >= next->first && at + size <= next->first + next->second;
}

/** Work that was asked for, in order; `done` of it has run. */
struct Stream {
  std::vector<std::function<void()>> work;
  size_t done = 0;
};

/** A point of a stream. */
struct Event {
  uint64_t stream = 0;
  size_t point = 0;
  int looks = 0;
};

std::map<uint64_t, Stream> streams;
std::map<uint64_t, Event> events;

void runTo(uint64_t handle, size_t point) {
  Stream &stream = streams[handle];
  while (stream.done < point && stream.done < stream.work.size()) {
    // Points of events stay comparable: what has run keeps its place.
    auto work = std::move(stream.work[stream.done]);
    work();
    stream.done++;
  }
}

void runAll() {
  for (auto &[handle, stream] : streams) runTo(handle, stream.work.size());
}

void later(uint64_t stream, std::function<void()> work) { streams[stream].work.push_back(work); }

uint64_t makeHandle() {
  others.insert(++nextHandle);
  return nextHandle;
}

int dropHandle(uint64_t handle) {
  streams.erase(handle);
  events.erase(handle);
  return others.erase(handle) ? 0 : 400;
}

}  // namespace

#define CALL(name, ...) extern "C" int name(__VA_ARGS__)
#define ENTER(name)                  \
  if (int code = enter(#name); code) return code;

CALL(cuInit, unsigned) {
  ENTER(cuInit)
  return devices == 0 ? 100 : 0;
}
CALL(cuDriverGetVersion, int *version) {
  *version = driverVersion;
  return 0;
}
CALL(cuDeviceGetCount, int *count) {
  *count = devices;
  return 0;
}
CALL(cuDeviceGet, int *device, int ordinal) {
  *device = ordinal;
  return 0;
}
CALL(cuDeviceGetName, char *name, int length, int device) {
  snprintf(name, length, "Fake GPU %d", device);
  return 0;
}
CALL(cuDeviceGetUuid_v2, uint8_t *uuid, int device) {
  for (int i = 0; i < 16; i++) uuid[i] = (uint8_t)(device * 16 + i);
  return 0;
}
CALL(cuDeviceTotalMem_v2, uint64_t *bytes, int) {
  *bytes = totalMemory;
  return 0;
}
CALL(cuDeviceGetAttribute, int *value, int attribute, int) {
  *value = attribute == 75 ? 9 : 0;
  return 0;
}
CALL(cuDevicePrimaryCtxRetain, uint64_t *context, int device) {
  ENTER(cuDevicePrimaryCtxRetain)
  contexts++;
  *context = 500 + device;
  return 0;
}
CALL(cuDevicePrimaryCtxRelease_v2, int) {
  // What is left in a context dies with it, a fault included.
  if (--contexts > 0) return 0;
  sticky = 0;
  for (auto &[at, size] : deviceMemory) free((void *)at);
  for (auto &[at, size] : hostMemory) free((void *)at);
  deviceMemory.clear();
  hostMemory.clear();
  others.clear();
  streams.clear();
  events.clear();
  return 0;
}
CALL(cuCtxSetCurrent, uint64_t) { ENTER(cuCtxSetCurrent) return 0; }
CALL(cuCtxGetStreamPriorityRange, int *least, int *greatest) {
  *least = 0;
  *greatest = -5;
  return 0;
}
CALL(cuModuleLoadData, uint64_t *module, const char *image) {
  ENTER(cuModuleLoadData)
  if (!strstr(image, ".target sm_75")) return 218;
  *module = makeHandle();
  return 0;
}
CALL(cuModuleUnload, uint64_t module) { return dropHandle(module); }
CALL(cuModuleGetFunction, uint64_t *function, uint64_t, const char *name) {
  auto found = kernels.find(name);
  if (found == kernels.end()) return 500;
  *function = (uint64_t)&*found;
  return 0;
}
CALL(cuMemGetInfo_v2, uint64_t *left, uint64_t *total) {
  *left = totalMemory - inUse();
  *total = totalMemory;
  return 0;
}
CALL(cuMemAlloc_v2, uint64_t *at, uint64_t bytes) {
  ENTER(cuMemAlloc_v2)
  if (inUse() + bytes > totalMemory) return 2;
  *at = (uint64_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset((void *)*at, 0xa5, bytes);
  deviceMemory[*at] = bytes;
  return 0;
}
CALL(cuMemFree_v2, uint64_t at) {
  ENTER(cuMemFree_v2)
  runAll();
  if (!deviceMemory.erase(at)) return 1;
  free((void *)at);
  return 0;
}
CALL(cuMemHostAlloc, uint64_t *at, uint64_t bytes, unsigned) {
  ENTER(cuMemHostAlloc)
  *at = (uint64_t)aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  memset((void *)*at, 0x5a, bytes);
  hostMemory[*at] = bytes;
  return 0;
}
CALL(cuMemFreeHost, uint64_t at) {
  ENTER(cuMemFreeHost)
  runAll();
  if (!hostMemory.erase(at)) return 1;
  free((void *)at);
  return 0;
}
CALL(cuStreamCreateWithPriority, uint64_t *stream, unsigned, int priority) {
  if (priority != 0) return 1;
  *stream = makeHandle();
  return 0;
}
CALL(cuStreamDestroy_v2, uint64_t stream) { return dropHandle(stream); }
CALL(cuStreamSynchronize, uint64_t stream) {
  ENTER(cuStreamSynchronize)
  runTo(stream, streams[stream].work.size());
  return sticky;
}
CALL(cuStreamWaitEvent, uint64_t stream, uint64_t event, unsigned) {
  ENTER(cuStreamWaitEvent)
  Event seen = events[event];
  later(stream, [seen] { runTo(seen.stream, seen.point); });
  return 0;
}
CALL(cuEventCreate, uint64_t *event, unsigned) {
  *event = makeHandle();
  return 0;
}
CALL(cuEventDestroy_v2, uint64_t event) { return dropHandle(event); }
CALL(cuEventRecord, uint64_t event, uint64_t stream) {
  ENTER(cuEventRecord)
  events[event] = {stream, streams[stream].work.size(), 0};
  return 0;
}
CALL(cuEventQuery, uint64_t event) {
  ENTER(cuEventQuery)
  Event &seen = events[event];
  if (seen.looks++ < 2) return 600;
  runTo(seen.stream, seen.point);
  return sticky;
}
CALL(cuMemcpyHtoDAsync_v2, uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream) {
  ENTER(cuMemcpyHtoDAsync_v2)
  later(stream, [=] {
    if (!isInside(deviceMemory, to, bytes) || !isInside(hostMemory, from, bytes)) sticky = 700;
    else memcpy((void *)to, (void *)from, bytes);
  });
  return 0;
}
CALL(cuMemcpyDtoHAsync_v2, uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream) {
  ENTER(cuMemcpyDtoHAsync_v2)
  later(stream, [=] {
    if (!isInside(deviceMemory, from, bytes) || !isInside(hostMemory, to, bytes)) sticky = 700;
    else memcpy((void *)to, (void *)from, bytes);
  });
  return 0;
}
CALL(cuMemcpyDtoDAsync_v2, uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream) {
  later(stream, [=] { memcpy((void *)to, (void *)from, bytes); });
  return 0;
}
CALL(cuMemsetD8Async, uint64_t at, uint8_t value, uint64_t bytes, uint64_t stream) {
  ENTER(cuMemsetD8Async)
  later(stream, [=] {
    if (!isInside(deviceMemory, at, bytes)) sticky = 700;
    else memset((void *)at, value, bytes);
  });
  return 0;
}
CALL(cuLaunchKernel, uint64_t function, unsigned x, unsigned y, unsigned z, unsigned threads,
     unsigned ty, unsigned tz, unsigned, uint64_t stream, uint64_t parameters, uint64_t) {
  ENTER(cuLaunchKernel)
  if (x == 0 || y != 1 || z != 1 || threads != GROUP || ty != 1 || tz != 1) return 1;
  launches++;
  // The driver copies parameters before it returns.
  auto copy = std::make_shared<std::vector<uint64_t>>(120);
  memcpy(copy->data(), *(void **)parameters, copy->size() * 8);
  auto kernel = ((const std::pair<const std::string, Launch> *)function)->second;
  later(stream, [=] {
    void *arguments[] = {copy->data()};
    if (!sticky) kernel(x, arguments);
  });
  return 0;
}
CALL(cuGetErrorName, int code, const char **name) {
  static std::map<int, std::string> names = {{2, "CUDA_ERROR_OUT_OF_MEMORY"},
                                             {214, "CUDA_ERROR_ECC_UNCORRECTABLE"},
                                             {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}};
  auto found = names.find(code);
  *name = found == names.end() ? "CUDA_ERROR_FAKE" : found->second.c_str();
  return 0;
}

CALL(nvmlInit_v2) { return enter("nvmlInit_v2"); }
CALL(nvmlShutdown) { return 0; }
CALL(nvmlDeviceGetHandleByUUID, const char *uuid, uint64_t *device) {
  if (strncmp(uuid, "GPU-", 4) != 0 || strlen(uuid) != 40) return 2;
  *device = 1 + strtoul(std::string(uuid + 4, 1).c_str(), nullptr, 16);
  return 0;
}
CALL(nvmlDeviceGetComputeRunningProcesses_v3, uint64_t device, unsigned *count, uint8_t *infos) {
  unsigned present = device == 1 ? processes : 0;
  if (*count < present) {
    *count = present;
    return 7;
  }
  *count = present;
  for (unsigned i = 0; i < present; i++) {
    memset(infos + 24 * i, 0, 24);
    uint32_t pid = 4000 + i;
    uint64_t bytes = 1ull << 30;
    memcpy(infos + 24 * i, &pid, 4);
    memcpy(infos + 24 * i + 8, &bytes, 8);
  }
  return 0;
}
CALL(nvmlDeviceGetMemoryInfo_v2, uint64_t device, uint64_t *info) {
  if ((info[0] & 0xffffff) != 40) return 2;
  uint64_t used = device == 1 ? usedMemory : 0;
  info[1] = totalMemory;
  info[2] = 300 << 20;
  info[3] = totalMemory - used;
  info[4] = used;
  return 0;
}
CALL(nvmlDeviceGetTotalEccErrors, uint64_t, int, int, uint64_t *) { return 3; }

/** `code` comes back from the call of that name after `after` good ones. */
extern "C" void fakeFail(const char *name, int code, int after) { planned[name] = {code, after}; }
extern "C" void fakeMachine(int version, int count, uint64_t memory, unsigned busy, uint64_t used) {
  driverVersion = version;
  devices = count;
  totalMemory = memory;
  processes = busy;
  usedMemory = used;
  planned.clear();
}
/** Allocations and handles that are alive. */
extern "C" int fakeAlive() {
  return (int)(deviceMemory.size() + hostMemory.size() + others.size()) + contexts;
}
extern "C" uint64_t fakeBytes() { return inUse() - usedMemory; }
extern "C" int fakeLaunches() { return (int)launches; }
