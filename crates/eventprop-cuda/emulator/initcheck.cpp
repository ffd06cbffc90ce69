// What of the device's memory was written: a read of what was not ends the program. The kernels' own reads and writes
// come from the compiler, which instruments them as for the kernel's address sanitizer; copies come from fakecuda.cpp.
#include "watch.h"
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

namespace simt {
namespace {
// By the address of a buffer: each of its bytes.
std::map<uintptr_t, std::vector<bool>>& buffers() {
    static std::map<uintptr_t, std::vector<bool>> all;
    return all;
}

// The buffer that holds an address, and where in it.
std::vector<bool>* buffer_of(uintptr_t address, size_t& offset) {
    auto next = buffers().upper_bound(address);
    if (next == buffers().begin()) return nullptr;
    auto& [start, bytes] = *std::prev(next);
    offset = address - start;
    return offset < bytes.size() ? &bytes : nullptr;
}
}  // namespace

void allocated(uintptr_t address, size_t size) { buffers()[address].assign(size, false); }

void released(uintptr_t address) { buffers().erase(address); }

void written(uintptr_t address, size_t size) {
    size_t offset;
    std::vector<bool>* bytes = buffer_of(address, offset);
    for (size_t i = offset; bytes && i < bytes->size() && i < offset + size; i++) (*bytes)[i] = true;
}

void read(uintptr_t address, size_t size) {
    size_t offset;
    std::vector<bool> const* bytes = buffer_of(address, offset);
    for (size_t i = offset; bytes && i < bytes->size() && i < offset + size; i++) {
        if ((*bytes)[i]) continue;
        std::fprintf(stderr, "simt: a read of memory that nobody wrote in %s, byte %zu of a buffer of %zu\n", kernel(), i,
                     bytes->size());
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
