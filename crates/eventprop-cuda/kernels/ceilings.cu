// What the device can do at most, to be measured beside the kernels of a training; no part of one.
#include "types.cuh"

// Independent sums a thread: more than a multiply-add takes cycles.
#define ISSUE_CHAINS 8
#define ISSUE_TURNS 16

// Fused multiply-adds from registers to registers: ISSUE_CHAINS * ISSUE_TURNS a step and thread.
extern "C" __global__ void ceiling_issue(float* sums, float factor, float term, int steps) {
    float chains[ISSUE_CHAINS];
    for (int k = 0; k < ISSUE_CHAINS; k++) chains[k] = (float)(threadIdx.x + k);
    for (int step = 0; step < steps; step++) {
        for (int turn = 0; turn < ISSUE_TURNS; turn++) {
            for (int k = 0; k < ISSUE_CHAINS; k++) chains[k] = fmaf(chains[k], factor, term);
        }
    }
    float sum = 0.0f;
    for (int k = 0; k < ISSUE_CHAINS; k++) sum += chains[k];
    sums[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// Rows read at once.
#define ROWS_IN_FLIGHT 8
#define ROW_BITS 14

// Rows of a warp (512 bytes), in an order that hits no row twice in a row and no two warps alike:
// ROWS_IN_FLIGHT a step and warp, of 1 << ROW_BITS.
extern "C" __global__ void ceiling_l2(float* sums, float4 const* rows, int steps) {
    int thread = blockIdx.x * blockDim.x + threadIdx.x;
    int lane = threadIdx.x % WARP;
    // Fibonacci hashing: what comes one after the other lies far apart.
    unsigned place = (unsigned)(thread / WARP) * 40503u;
    float sum = 0.0f;
    for (int step = 0; step < steps; step++) {
        float4 read[ROWS_IN_FLIGHT];
        for (int k = 0; k < ROWS_IN_FLIGHT; k++) {
            unsigned row = (place++ * 2654435769u) >> (32 - ROW_BITS);
            read[k] = rows[row * WARP + lane];
        }
        for (int k = 0; k < ROWS_IN_FLIGHT; k++) sum += read[k].x + read[k].y + read[k].z + read[k].w;
    }
    sums[thread] = sum;
}
