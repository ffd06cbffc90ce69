// A stand-in for libcuda.so.1: the calls that the engine makes, on the host. Device buffers end at a page
// that cannot be touched and start as NaN, which is out of bounds as an index. Work put into a stream is done
// only when the host waits for it, so a wait that is missing shows.
#include "run.h"
#include "watch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <vector>

namespace {

enum Result { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500 };

using Work = std::function<void()>;
struct Graph {
    std::vector<Work> work;
};
struct Stream {
    std::vector<Work> pending;
    Graph* capturing = nullptr;
};

std::recursive_mutex lock;
Stream default_stream;
std::vector<Stream*> streams = {&default_stream};
struct Allocation {
    void* base;
    size_t mapped, size;
};
std::map<uintptr_t, Allocation> allocations;
size_t used = 0;
constexpr size_t PAGE = 4096;

size_t capacity() {
    char const* text = std::getenv("SIMT_MEMORY");
    return text ? std::strtoull(text, nullptr, 10) : size_t{4} << 30;
}

// Which kernels a small batch runs depends on it.
int multiprocessors() {
    char const* text = std::getenv("SIMT_MULTIPROCESSORS");
    return text ? std::atoi(text) : 2;
}

Stream& stream_of(void* handle) { return handle ? *static_cast<Stream*>(handle) : default_stream; }

void enqueue(void* handle, Work work) {
    Stream& stream = stream_of(handle);
    (stream.capturing ? stream.capturing->work : stream.pending).push_back(std::move(work));
}

void finish(Stream& stream) {
    std::vector<Work> work;
    work.swap(stream.pending);
    for (Work& w : work) w();
}

void finish_all() {
    for (Stream* stream : streams) finish(*stream);
}

Result allocate(uintptr_t* pointer, size_t size) {
    if (used + size > capacity()) return OUT_OF_MEMORY;
    size_t rounded = (size + 15) / 16 * 16;
    size_t mapped = (rounded + PAGE - 1) / PAGE * PAGE + PAGE;
    void* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return OUT_OF_MEMORY;
    auto guard = reinterpret_cast<uintptr_t>(base) + mapped - PAGE;
    mprotect(reinterpret_cast<void*>(guard), PAGE, PROT_NONE);
    *pointer = guard - rounded;
    std::fill_n(reinterpret_cast<uint32_t*>(*pointer), rounded / 4, 0x7fffffffu);
    allocations[*pointer] = {base, mapped, size};
    used += size;
    simt::allocated(*pointer, size);
    return SUCCESS;
}

Result release(uintptr_t pointer) {
    finish_all();
    auto found = allocations.find(pointer);
    if (found == allocations.end()) return pointer == 0 ? SUCCESS : INVALID_VALUE;
    munmap(found->second.base, found->second.mapped);
    used -= found->second.size;
    allocations.erase(found);
    simt::released(pointer);
    return SUCCESS;
}

// Whether [pointer, pointer + size) lies in one buffer.
bool is_device(uintptr_t pointer, size_t size) {
    auto next = allocations.upper_bound(pointer);
    if (next == allocations.begin()) return size == 0;
    auto const& [start, allocation] = *std::prev(next);
    return pointer + size <= start + allocation.size;
}

}  // namespace

#define LOCK std::lock_guard<std::recursive_mutex> guard(lock)

extern "C" {
Result cuInit(unsigned) { return SUCCESS; }
Result cuDriverGetVersion(int* version) { return *version = 13000, SUCCESS; }
Result cuGetErrorName(int, char const** text) { return *text = "EMULATED_ERROR", SUCCESS; }
Result cuGetErrorString(int, char const** text) { return *text = "an error of the emulated driver", SUCCESS; }
Result cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? SUCCESS : INVALID_VALUE; }
Result cuDeviceGetCount(int* count) { return *count = 1, SUCCESS; }
Result cuDeviceGetName(char* name, int length, int) { return std::snprintf(name, static_cast<size_t>(length), "SIMT emulator"), SUCCESS; }
Result cuDeviceGetUuid_v2(void* uuid, int) { return std::memset(uuid, 0, 16), SUCCESS; }
Result cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = capacity(), SUCCESS; }
Result cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 16: *value = multiprocessors(); break;
        case 75: *value = 9; break;    // compute capability
        case 76: *value = 0; break;
        case 115: *value = 1; break;   // memory pools
        default: *value = 0;
    }
    return SUCCESS;
}
Result cuDevicePrimaryCtxRetain(void** context, int) { return *context = &default_stream, SUCCESS; }
Result cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
Result cuCtxGetCurrent(void** context) { return *context = &default_stream, SUCCESS; }
Result cuCtxSetCurrent(void*) { return SUCCESS; }
Result cuCtxSynchronize() { LOCK; return finish_all(), SUCCESS; }
Result cuMemGetInfo_v2(size_t* free, size_t* total) { LOCK; *total = capacity(); *free = *total - (used < *total ? used : *total); return SUCCESS; }

Result cuStreamCreate(void** stream, unsigned) { LOCK; auto* s = new Stream; streams.push_back(s); *stream = s; return SUCCESS; }
Result cuStreamDestroy_v2(void* stream) { LOCK; finish(stream_of(stream)); return SUCCESS; }
Result cuStreamSynchronize(void* stream) { LOCK; finish(stream_of(stream)); return SUCCESS; }
Result cuStreamWaitEvent(void*, void*, unsigned) { return SUCCESS; }
Result cuStreamBeginCapture_v2(void* stream, int) { LOCK; stream_of(stream).capturing = new Graph; return SUCCESS; }
Result cuStreamIsCapturing(void* stream, int* status) { LOCK; *status = stream_of(stream).capturing != nullptr; return SUCCESS; }
Result cuStreamEndCapture(void* stream, void** graph) { LOCK; *graph = stream_of(stream).capturing; stream_of(stream).capturing = nullptr; return SUCCESS; }
Result cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) { *exec = new Graph(*static_cast<Graph*>(graph)); return SUCCESS; }
Result cuGraphLaunch(void* exec, void* stream) {
    LOCK;
    for (Work const& work : static_cast<Graph*>(exec)->work) enqueue(stream, work);
    return SUCCESS;
}
Result cuGraphUpload(void*, void*) { return SUCCESS; }
Result cuGraphDestroy(void* graph) { LOCK; finish_all(); delete static_cast<Graph*>(graph); return SUCCESS; }
Result cuGraphExecDestroy(void* exec) { LOCK; finish_all(); delete static_cast<Graph*>(exec); return SUCCESS; }

Result cuEventCreate(void** event, unsigned) { *event = &default_stream; return SUCCESS; }
Result cuEventRecord(void*, void*) { return SUCCESS; }
Result cuEventSynchronize(void*) { LOCK; finish_all(); return SUCCESS; }
Result cuEventQuery(void*) { return SUCCESS; }
Result cuEventElapsedTime_v2(float* ms, void*, void*) { return *ms = 0.0f, SUCCESS; }
Result cuEventDestroy_v2(void*) { return SUCCESS; }

Result cuMemAlloc_v2(uintptr_t* pointer, size_t size) { LOCK; return allocate(pointer, size); }
Result cuMemAllocAsync(uintptr_t* pointer, size_t size, void*) { LOCK; return allocate(pointer, size); }
Result cuMemFree_v2(uintptr_t pointer) { LOCK; return release(pointer); }
Result cuMemFreeAsync(uintptr_t pointer, void*) { LOCK; return release(pointer); }
Result cuMemsetD8Async(uintptr_t pointer, unsigned char value, size_t size, void* stream) {
    LOCK;
    if (!is_device(pointer, size)) return INVALID_VALUE;
    enqueue(stream, [=] {
        simt::written(pointer, size);
        std::memset(reinterpret_cast<void*>(pointer), value, size);
    });
    return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(uintptr_t to, void const* from, size_t size, void* stream) {
    LOCK;
    if (!is_device(to, size)) return INVALID_VALUE;
    // Pageable memory is staged before the call returns.
    std::string staged(static_cast<char const*>(from), size);
    enqueue(stream, [=] {
        simt::written(to, size);
        std::memcpy(reinterpret_cast<void*>(to), staged.data(), size);
    });
    return SUCCESS;
}
Result cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t size, void* stream) {
    LOCK;
    if (!is_device(from, size)) return INVALID_VALUE;
    enqueue(stream, [=] {
        simt::read(from, size);
        std::memcpy(to, reinterpret_cast<void*>(from), size);
    });
    return SUCCESS;
}
Result cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t size, void* stream) {
    LOCK;
    if (!is_device(to, size) || !is_device(from, size)) return INVALID_VALUE;
    enqueue(stream, [=] {
        simt::read(from, size);
        simt::written(to, size);
        std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), size);
    });
    return SUCCESS;
}

Result cuModuleLoadData(void** module, void const*) { return *module = &default_stream, SUCCESS; }
Result cuModuleUnload(void*) { return SUCCESS; }
Result cuModuleGetFunction(void** function, void*, char const* name) {
    *function = const_cast<simt::Entry*>(simt::find(name));
    return *function ? SUCCESS : NOT_FOUND;
}
Result cuFuncGetAttribute(int* value, int, void*) { return *value = 0, SUCCESS; }
Result cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                      void* stream, void** arguments, void**) {
    LOCK;
    if (gx == 0 || gy == 0 || gz == 0 || bx == 0 || by == 0 || bz == 0 || bx * by * bz > 1024 || gy > 65535 || gz > 65535) return INVALID_VALUE;
    auto const* entry = static_cast<simt::Entry const*>(function);
    std::string bytes;
    std::vector<size_t> offsets(entry->count);
    entry->copy(arguments, bytes, offsets.data());
    enqueue(stream, [=]() mutable {
        // On a boundary of 16: arguments may hold aligned structures.
        std::vector<std::max_align_t> memory(bytes.size() / sizeof(std::max_align_t) + 1);
        std::memcpy(memory.data(), bytes.data(), bytes.size());
        std::vector<void*> pointers;
        for (size_t offset : offsets) pointers.push_back(reinterpret_cast<char*>(memory.data()) + offset);
        simt::run({entry, pointers.data(), {gx, gy, gz}, {bx, by, bz}});
    });
    return SUCCESS;
}
}  // extern "C"
