// What happens to the device's memory outside kernels, for initcheck.cpp and racecheck.cpp; nothing where no watch is
// asked for.
#pragma once
#include <cstddef>
#include <cstdint>

namespace simt {
#ifdef SIMT_WATCH
void allocated(uintptr_t address, size_t size);
void released(uintptr_t address);
void written(uintptr_t address, size_t size);
void read(uintptr_t address, size_t size);
#else
inline void allocated(uintptr_t, size_t) {}
inline void released(uintptr_t) {}
inline void written(uintptr_t, size_t) {}
inline void read(uintptr_t, size_t) {}
#endif

// What runs.
char const* kernel();
// Who runs, and which barriers are behind it.
struct Position {
    // A number that no other kernel's run has.
    uint32_t launch;
    // Of the time between two barriers of a block: later ones have higher numbers. And the block's first.
    uint32_t phase, first_phase;
    uint32_t thread;
    // Passed barriers of the warp.
    uint32_t warp_barriers;
};
// Of the thread of a kernel that runs.
extern thread_local Position position;
// The block's shared memory.
void shared_memory(uintptr_t& start, size_t& size);
}  // namespace simt
