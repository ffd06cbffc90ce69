// What the lanes of a warp find together; each is told.
#pragma once
#include "types.cuh"

__device__ __forceinline__ float warp_sum(float value) {
    for (int reach = WARP / 2; reach > 0; reach /= 2) {
        value += __shfl_xor_sync(FULL_WARP, value, reach);
    }
    return value;
}

__device__ __forceinline__ int warp_max(int value) {
    for (int reach = WARP / 2; reach > 0; reach /= 2) {
        value = max(value, __shfl_xor_sync(FULL_WARP, value, reach));
    }
    return value;
}

__device__ __forceinline__ float warp_max(float value) {
    for (int reach = WARP / 2; reach > 0; reach /= 2) {
        value = fmaxf(value, __shfl_xor_sync(FULL_WARP, value, reach));
    }
    return value;
}
