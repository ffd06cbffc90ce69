// What happens to the device's memory outside kernels, for initcheck.cpp; nothing where that is not asked for.
#pragma once
#include <cstddef>
#include <cstdint>

namespace simt {
#ifdef SIMT_INITCHECK
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
}  // namespace simt
