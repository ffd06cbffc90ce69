// Neurons that hear one another: a block walks a sample, for each spike is known to all before any goes on.
#pragma once
#include "adjoint.cuh"
#include "crossing.cuh"
#include "neurons.cuh"

// In the lower half of a spike's key: the neuron has run away.
#define RUNS_AWAY 0x80000000u

// The neuron's next spike in the interval as a key that orders spikes by time, then by neuron; NONE if
// there is none.
__device__ __forceinline__ unsigned long long next_spike(Decay const& decay, float u, float current,
                                                         float threshold, Interval step, float dt,
                                                         unsigned neuron) {
    float u_end = fmaf(u, step.mem, current * step.drive);
    if (dt <= 0.0f || !is_candidate(threshold, current, u_end, current * step.syn)) return NONE;
    if (u_end <= threshold && !peak_is_above(decay, u, current, threshold)) return NONE;
    float at = crossing(decay, u, current, threshold, {step, dt});
    float time = fminf(fmaxf(elapsed(decay, interval_to(decay, at), at), 0.0f), dt);
    return (unsigned long long)__float_as_uint(time) << 32 | neuron;
}

// The connections that lead from the layer to itself, each with a row of weights for each of its neurons: a spike
// arrives over all.
__device__ __forceinline__ int copies_of(Layer const& below, Layer const& layer) {
    return (layer.sources - below.sources) / layer.targets;
}

// The sum of what the block's threads found, in the order of warps. `sums` is room for a sum a warp, which no
// thread may still read.
__device__ __forceinline__ float block_sum(float part, float* sums) {
    part = warp_sum(part);
    if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = part;
    __syncthreads();
    float sum = 0.0f;
    for (int warp = 0; warp < (int)blockDim.x / WARP; warp++) sum += sums[warp];
    return sum;
}

// Goes back over a neuron's spike number `k`, of which the arrivals above and in its own layer have the error
// `error`: lambda_V just before it, from that just after.
__device__ __forceinline__ float back_over_spike(Layer const& layer, Lane const& lane, int k, float after,
                                                 float error, float const* above_errors, int above_width,
                                                 int above_tiles, int every_spike, int& grazing) {
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    size_t slot = ((size_t)lane.sample * layer.slots + k) * layer.stride + lane.neuron;
    Jumps jumps = jumps_among(layer, lane, spikes);
    error += spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
    float before = before_spike(jumps, layer.spike_slopes[slot], after, error);
    grazing += jumps.grazing;
    return before;
}

__device__ __forceinline__ Lane lane_of(int sample, int neuron) { return {sample, neuron, neuron / WARP, true}; }
