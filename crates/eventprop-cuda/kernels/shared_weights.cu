// Weights that many synapses share (convolutions): spread over a dense matrix before a batch, and the
// matrix's gradient gathered after it.
#include "types.cuh"

// Grid: a warp a weight, blockDim.y weights a block. Weight w has the synapses
// synapses[offsets[w]] .. synapses[offsets[w + 1]], positions in the matrix.
extern "C" __global__ void spread_weights(float const* weights, float* matrix, int const* offsets,
                                          int const* synapses, int count) {
    int w = blockIdx.x * blockDim.y + threadIdx.y;
    if (w >= count) return;
    float weight = weights[w];
    int end = offsets[w + 1];
    for (int s = offsets[w] + threadIdx.x; s < end; s += WARP) matrix[synapses[s]] = weight;
}

// The same grid. Every lane adds up its synapses in order, then the lanes are added pairwise: one
// order of summation.
extern "C" __global__ void gather_gradient(float* gradient, float const* matrix, int const* offsets,
                                           int const* synapses, int count) {
    int w = blockIdx.x * blockDim.y + threadIdx.y;
    if (w >= count) return;
    float sum = 0.0f;
    int end = offsets[w + 1];
    for (int s = offsets[w] + threadIdx.x; s < end; s += WARP) sum += matrix[synapses[s]];
    for (int reach = WARP / 2; reach > 0; reach /= 2) sum += __shfl_xor_sync(FULL_WARP, sum, reach);
    if (threadIdx.x == 0) gradient[w] = sum;
}
