// Neurons that hear one another: a block walks a sample, for each spike is known to all before any goes on.
#pragma once
#include "adjoint.cuh"
#include "crossing.cuh"
#include "drive.cuh"
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

__device__ __forceinline__ Lane lane_of(int sample, int neuron) { return {sample, neuron, neuron / WARP, true}; }

// Where the errors of spikes lie that those above found.
struct Above {
    float const* errors;
    int width, tiles;
};

// The derivative by the time of spike number `k` that they found.
__device__ __forceinline__ float error_above(Layer const& layer, Lane const& lane, int k, size_t slot, Above above,
                                             int every_spike) {
    if (above.tiles < 0) return 0.0f;
    return spike_error(layer, lane, k, slot, above.errors, above.width, above.tiles, every_spike);
}

// Goes back over a neuron's spike number `k`, of which the arrivals within the walk have the error `error`: lambda_V
// just before it, from that just after. Where neurons lie in memory the jump takes the place of the spike's slope, for
// the gradient by constants.
__device__ __forceinline__ float back_over_spike(Place const& place, int sample, int k, float after, float error,
                                                 Above above, int every_spike, int& grazing) {
    Layer const& layer = place.layer;
    Lane lane = lane_of(sample, place.neuron);
    if (place.member) above = {place.member->above_errors, place.member->above_width, place.member->above_tiles};
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    size_t slot = ((size_t)lane.sample * layer.slots + k) * layer.stride + lane.neuron;
    Jumps jumps = jumps_among(layer, lane, spikes);
    error += error_above(layer, lane, k, slot, above, every_spike);
    float before = before_spike(jumps, layer.spike_slopes[slot], after, error);
    if (place.member) layer.spike_slopes[slot] = before - after;
    grazing += jumps.grazing;
    return before;
}

// A neuron on the way back, and its spikes that are still to come.
struct Adjoint {
    float mu_voltage, mu_current;
    int spikes;

    static __device__ __forceinline__ Adjoint of(Place const&, int, int spikes, int) { return {0.0f, 0.0f, spikes}; }

    // Back over an interval that starts at `start`.
    __device__ __forceinline__ void sweep(Place const&, int, Decay const& decay, Record const& interval, float, float) {
        ::sweep(mu_voltage, mu_current, interval, decay.ratio);
    }
    // All of mu where something arrives at `time`.
    __device__ __forceinline__ Mu at_arrival(Place const&, int, float, int) const { return {mu_voltage, mu_current}; }
    // `by_time`, and what moves with event number `event` besides.
    __device__ __forceinline__ float with_moved(float by_time, Place const&, int, int, int) const { return by_time; }
    // Back over the last of its spikes, at `time`, of which the arrivals within the walk have the error `error`.
    __device__ __forceinline__ void jump(Place const& place, int sample, Decay const& decay, float, float error,
                                         Above above, int every_spike, int& grazing) {
        spikes--;
        float tau = -decay.tau_syn;
        float before = back_over_spike(place, sample, spikes, mu_voltage / tau, error, above, every_spike, grazing);
        mu_voltage = before * tau;
    }
};

// What became of a sample's walk: the neuron of the spike last found has run away, or room for `needed` spikes of a
// layer was lacking.
template <class Neurons>
__device__ __forceinline__ void report(Neurons const& neurons, Control* control, int sample, int last, int needed) {
    if (last != NO_EVENT && ((unsigned)last & RUNS_AWAY)) {
        unsigned long long layer = neurons.place((int)((unsigned)last & ~RUNS_AWAY)).layer.layer;
        atomicMin(&control->faults.runaway, layer << 32 | (unsigned)sample);
        return;
    }
    neurons.each_layer([&](Layer const& layer) { atomicMax(&layer.needed[1], needed); });
    atomicMax(&control->faults.capacity, 1);
}

// Notes how often a neuron spiked, and that room was lacking.
__device__ __forceinline__ void count_spikes(Place const& place, Control* control, int sample, int spikes) {
    Layer const& layer = place.layer;
    layer.spike_counts[(size_t)sample * layer.stride + place.neuron] = min(spikes, layer.slots);
    if (spikes > layer.slots) {
        atomicMax(&layer.needed[0], spikes);
        atomicMax(&control->faults.capacity, 1);
    }
}
