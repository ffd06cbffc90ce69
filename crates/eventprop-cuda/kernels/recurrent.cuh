// Neurons that hear one another: a block walks a sample, for each spike is known to all before any goes on.
#pragma once
#include "adjoint.cuh"
#include "crossing.cuh"

// A block's threads at most: a thread a neuron.
#define MAX_RECURRENT 1024
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
