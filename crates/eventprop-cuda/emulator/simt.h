// The part of CUDA C++ that the kernels use, for g++: this file is included before them.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#define __global__
#define __device__
#define __grid_constant__
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#ifdef SIMT_TSAN
#define __shared__ static thread_local
#else
#define __shared__ static __attribute__((section("simt_shared")))
#endif

struct __align__(16) float4 {
    float x, y, z, w;
};
struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
extern thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace simt {
// Waits for every thread of the block.
void barrier(char const* file, int line);
// Waits for the warp's lanes of `mask`.
void warp_barrier(unsigned mask, char const* file, int line);
// What a lane gives to the others of its warp.
struct alignas(16) Value {
    char bytes[16];
};
// Waits for the lanes of `mask`, each of which gives a value, and returns that of lane `from`.
Value exchange(unsigned mask, Value value, int from, char const* file, int line);
// Waits for the lanes of `mask` and returns which of them vote yes.
unsigned ballot(unsigned mask, bool vote, char const* file, int line);
// That of the lane that runs.
extern thread_local int lane_number;
inline int lane() { return lane_number; }

template <class T>
T shuffle(unsigned mask, T value, int from, char const* file, int line) {
    Value all = {};
    static_assert(sizeof value <= sizeof all);
    std::memcpy(&all, &value, sizeof value);
    all = exchange(mask, all, from, file, line);
    std::memcpy(&value, &all, sizeof value);
    return value;
}

using Call = void (*)(void** arguments);

template <class... A, size_t... I>
void invoke(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<A>*>(arguments[I])...);
}

template <auto kernel>
struct Kernel;
template <class... A, void (*kernel)(A...)>
struct Kernel<kernel> {
    static void call(void** arguments) { invoke(kernel, arguments, std::index_sequence_for<A...>{}); }
    // Arguments live as long as the launch is not run: a copy of them in one block of memory.
    static void copy(void** arguments, std::string& bytes, size_t* offsets) {
        size_t i = 0;
        ((offsets[i] = (bytes.size() + 15) / 16 * 16, bytes.resize(offsets[i]),
          bytes.append(static_cast<char const*>(arguments[i]), sizeof(A)), i++), ...);
    }
    static constexpr size_t count = sizeof...(A);
};

using Copy = void (*)(void** arguments, std::string& bytes, size_t* offsets);
struct Entry {
    char const* name;
    Call call;
    Copy copy;
    size_t count;
};
void add(Entry entry);
struct Registrar {
    explicit Registrar(Entry entry) { add(entry); }
};
}  // namespace simt

#define SIMT_KERNEL(name)                                                                        \
    static simt::Registrar simt_##name({#name, simt::Kernel<name>::call, simt::Kernel<name>::copy, \
                                        simt::Kernel<name>::count});

#define __syncthreads() simt::barrier(__FILE__, __LINE__)
#define __syncwarp() simt::warp_barrier(0xffffffffu, __FILE__, __LINE__)
#define __shfl_sync(mask, value, from) simt::shuffle(mask, value, from, __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, reach) \
    simt::shuffle(mask, value, simt::lane() ^ (reach), __FILE__, __LINE__)
// Lanes without one so far below get their own value back, as in CUDA.
#define __shfl_up_sync(mask, value, reach) \
    simt::shuffle(mask, value, simt::lane() < (reach) ? simt::lane() : simt::lane() - (reach), __FILE__, __LINE__)
#define __ballot_sync(mask, vote) simt::ballot(mask, vote, __FILE__, __LINE__)

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(unsigned x) { return __builtin_ffs(static_cast<int>(x)); }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline float __uint_as_float(unsigned bits) { return __int_as_float(static_cast<int>(bits)); }
template <class T>
T atomicAdd(T* place, T value) {
    return __atomic_fetch_add(place, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicMin(T* place, T value) {
    T old = __atomic_load_n(place, __ATOMIC_RELAXED);
    while (value < old && !__atomic_compare_exchange_n(place, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return old;
}
template <class T>
T atomicMax(T* place, T value) {
    T old = __atomic_load_n(place, __ATOMIC_RELAXED);
    while (value > old && !__atomic_compare_exchange_n(place, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return old;
}

#ifdef SIMT_ROUNDING
#include "rounding.h"
#endif
