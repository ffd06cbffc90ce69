// Races between the threads of a kernel, whatever the order in which they run: two accesses to the same memory, one of
// them a write and one of them no atomic, that no barrier orders. Threads of different blocks are ordered by nothing,
// those of a block by its barriers, the lanes of a warp by the warp's too; exchanges order nothing. A race ends the
// program. ThreadSanitizer's instrumentation calls what is at the end of this file.
#include "buffers.h"
#include "watch.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/mman.h>

namespace simt {
namespace {

constexpr uint32_t WARP = 32;

enum Kind { READ, WRITE, ATOMIC, KINDS };
char const* const NAMES[KINDS] = {"a read", "a write", "an atomic"};

// Who made the accesses of one kind to one place, in one run of a kernel. Blocks run one after the other. Of those before a barrier nothing need be known:
// they come before all that the block does after it. Of two blocks, two warps after the block's last barrier, two lanes
// after the warp's it is enough that there were two: whoever comes then is not one of them.
struct Accesses {
    // 0: none. Of shared memory the block's first phase, so that a new block finds none.
    uint32_t run = 0;
    uint32_t phase, warp_barriers;
    uint32_t thread : 16, many_blocks : 1, many_warps : 1, many_lanes : 1;

    void add(uint32_t now, Position const& p) {
        if (run == now && phase < p.first_phase) {
            many_blocks = true;
        } else if (run == now && phase == p.phase && thread / WARP != p.thread / WARP) {
            many_warps = true;
        } else if (run == now && phase == p.phase && warp_barriers == p.warp_barriers) {
            many_lanes |= thread != p.thread;
        } else {
            bool const same_block = run == now;
            bool const same_phase = same_block && phase == p.phase;
            many_blocks = same_block && many_blocks;
            many_warps = same_phase && many_warps;
            many_lanes = false;
            run = now;
            phase = p.phase;
            warp_barriers = p.warp_barriers;
            thread = p.thread;
        }
    }

    // Whether one of them is not ordered before what the thread does now.
    bool races(uint32_t now, Position const& p) const {
        if (run != now) return false;
        if (many_blocks || phase < p.first_phase) return true;
        if (phase != p.phase) return false;
        if (many_warps || thread / WARP != p.thread / WARP) return true;
        if (warp_barriers != p.warp_barriers) return false;
        return many_lanes || thread != p.thread;
    }
};

// What is known of so many bytes.
constexpr size_t GRAIN = 4;
struct Cell {
    Accesses by[KINDS];
};

size_t cells_size(size_t size) { return (size / GRAIN + 1) * sizeof(Cell); }

// Untouched pages are no memory, and a cell of zeros says that nobody was there.
Cell* cells_of(size_t size) {
    void* cells = mmap(nullptr, cells_size(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (cells == MAP_FAILED) std::abort();
    return static_cast<Cell*>(cells);
}

using Region = Buffer<Cell*>;
Buffers<Cell*> buffers;
Region const shared = [] {
    uintptr_t start;
    size_t size;
    shared_memory(start, size);
    return Region{start, size, cells_of(size)};
}();

// Where an address lies, if it is of the device's memory and not of a thread's own.
Region const* region_of(uintptr_t address) {
    return address - shared.start < shared.size ? &shared : buffers.at(address);
}

[[noreturn]] void report(Kind kind, Kind other, Accesses const& before, Position const& p, Region const& region, size_t offset,
                         void const* code) {
    bool const is_shared = &region == &shared;
    bool const is_far = before.many_blocks || before.phase < p.first_phase;
    Dl_info library = {};
    dladdr(code, &library);
    std::fprintf(stderr, "simt: a race in %s: %s by thread %u and %s by thread %u%s, byte %zu of %s of %zu\n", kernel(), NAMES[kind],
                 p.thread, NAMES[other], unsigned{before.thread}, is_far ? " of another block" : "", offset,
                 is_shared ? "shared memory" : "a buffer", region.size);
    // An instruction before the one to which the call returns.
    std::fprintf(stderr, "simt: the first of them: addr2line -i -e %s %#zx\n", library.dli_fname,
                 static_cast<size_t>(static_cast<char const*>(code) - static_cast<char const*>(library.dli_fbase)) - 1);
    std::fflush(stderr);
    std::_Exit(73);
}

void access(void const* place, size_t size, Kind kind, void const* code) {
    auto address = reinterpret_cast<uintptr_t>(place);
    Region const* region = region_of(address);
    if (!region) return;
    Position const& p = position;
    uint32_t const run = region == &shared ? p.first_phase : p.launch;
    size_t const offset = address - region->start;
    for (size_t i = offset / GRAIN; i <= (offset + size - 1) / GRAIN; i++) {
        Accesses* by = region->known[i].by;
        for (Kind other : {READ, WRITE, ATOMIC}) {
            if (kind == other && kind != WRITE) continue;
            if (by[other].races(run, p)) report(kind, other, by[other], p, *region, i * GRAIN, code);
        }
        by[kind].add(run, p);
    }
}

}  // namespace

void allocated(uintptr_t address, size_t size) { buffers.add(address, size, cells_of(size)); }

void released(uintptr_t address) {
    Region const region = buffers.remove(address);
    if (region.known) munmap(region.known, cells_size(region.size));
}

// Copies are ordered by the stream.
void written(uintptr_t, size_t) {}
void read(uintptr_t, size_t) {}

}  // namespace simt

#define TELL(place, size, kind) simt::access(place, size, simt::kind, __builtin_return_address(0))

extern "C" {
void __tsan_init() {}
#define ACCESS(size)                                                              \
    void __tsan_read##size(void* place) { TELL(place, size, READ); }              \
    void __tsan_write##size(void* place) { TELL(place, size, WRITE); }            \
    void __tsan_unaligned_read##size(void* place) { TELL(place, size, READ); }    \
    void __tsan_unaligned_write##size(void* place) { TELL(place, size, WRITE); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void* place, size_t size) { if (size > 0) TELL(place, size, READ); }
void __tsan_write_range(void* place, size_t size) { if (size > 0) TELL(place, size, WRITE); }
// The atomics of simt.h.
#define ATOMICS(bits)                                                                                                      \
    uint##bits##_t __tsan_atomic##bits##_load(uint##bits##_t const* place, int) {                                          \
        TELL(place, sizeof *place, ATOMIC);                                                                                \
        return *place;                                                                                                     \
    }                                                                                                                      \
    uint##bits##_t __tsan_atomic##bits##_fetch_add(uint##bits##_t* place, uint##bits##_t value, int) {                     \
        TELL(place, sizeof *place, ATOMIC);                                                                                \
        uint##bits##_t const old = *place;                                                                                 \
        *place += value;                                                                                                   \
        return old;                                                                                                        \
    }                                                                                                                      \
    int __tsan_atomic##bits##_compare_exchange_weak(uint##bits##_t* place, uint##bits##_t* expected, uint##bits##_t value, \
                                                    int, int) {                                                            \
        TELL(place, sizeof *place, ATOMIC);                                                                                \
        if (*place != *expected) return *expected = *place, 0;                                                             \
        return *place = value, 1;                                                                                          \
    }
ATOMICS(32)
ATOMICS(64)
}
