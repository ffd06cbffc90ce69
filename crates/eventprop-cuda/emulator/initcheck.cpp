// What of the device's memory was written: a read of what was not ends the program. The kernels' own reads and writes
// come from the compiler, which instruments them as for the kernel's address sanitizer; copies come from fakecuda.cpp.
#include "buffers.h"
#include "watch.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace simt {
namespace {
// Each byte's 1 where it was written.
Buffers<std::vector<char>> buffers;
}  // namespace

void allocated(uintptr_t address, size_t size) { buffers.add(address, size, std::vector<char>(size)); }

void released(uintptr_t address) { buffers.remove(address); }

void written(uintptr_t address, size_t size) {
    auto* buffer = buffers.at(address);
    if (!buffer) return;
    size_t const offset = address - buffer->start;
    std::fill_n(&buffer->known[offset], std::min(size, buffer->size - offset), 1);
}

void read(uintptr_t address, size_t size) {
    auto const* buffer = buffers.at(address);
    if (!buffer) return;
    size_t const offset = address - buffer->start;
    for (size_t i = offset; i < buffer->size && i < offset + size; i++) {
        if (buffer->known[i]) continue;
        std::fprintf(stderr, "simt: a read of memory that nobody wrote in %s, byte %zu of a buffer of %zu\n", kernel(), i,
                     buffer->size);
        std::fflush(stderr);
        std::_Exit(72);
    }
}
}  // namespace simt

extern "C" {
#define ACCESS(size)                                                                   \
    void __asan_load##size##_noabort(uintptr_t address) { simt::read(address, size); } \
    void __asan_store##size##_noabort(uintptr_t address) { simt::written(address, size); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __asan_loadN_noabort(uintptr_t address, size_t size) { simt::read(address, size); }
void __asan_storeN_noabort(uintptr_t address, size_t size) { simt::written(address, size); }
// Of no interest here.
void __asan_handle_no_return() {}
void __asan_before_dynamic_init(void const*) {}
void __asan_after_dynamic_init() {}
}
