// The reverse sweep of one neuron, carrying mu = -tau_syn lambda: the gradient by a weight is then mu_I
// itself at the arrival.
#pragma once
#include "arrivals.cuh"

// The place of a warp's lane: a tile of WARP neurons of one sample. Warps walk together because they
// add up errors.
struct Lane {
    int sample, neuron, tile;
    bool exists;
};

__device__ __forceinline__ Lane lane_of(Layer const& layer) {
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    return {sample, neuron, neuron / WARP, sample < layer.samples && neuron < layer.stride};
}

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

// Back over one interval.
__device__ __forceinline__ void sweep(float& mu_voltage, float& mu_current, Record const& record,
                                      float ratio) {
    mu_current = fmaf(mu_current, record.syn, mu_voltage * record.drive * ratio);
    mu_voltage *= record.mem;
}

// Where the neuron's adjoint at an event is kept.
__device__ __forceinline__ size_t adjoint_place(Layer const& layer, Lane const& lane, int event) {
    size_t row = (size_t)(lane.sample % layer.chunk) * layer.width + event;
    return row * layer.stride + lane.neuron;
}

// Where the warp's part of an event's error is kept.
__device__ __forceinline__ size_t error_place(Layer const& layer, Lane const& lane, int event) {
    return ((size_t)lane.sample * layer.width + event) * layer.tiles + lane.tile;
}

// The loss's derivative by the time of an arrival; `more` is what does not come from the adjoint.
__device__ __forceinline__ float arrival_error(Layer const& layer, Lane const& lane, int source,
                                               float mu_voltage, float mu_current, float more) {
    float weight = layer.weights[(size_t)source * layer.stride + lane.neuron];
    return fmaf(weight * (mu_current - mu_voltage), 1.0f / layer.decay.tau_syn, more);
}

// Records the adjoint at the arrival of record `r`. What arrives at all neurons at once has one error,
// added up over the warp.
__device__ __forceinline__ void arrive(CommonArrivals const& arrivals, Layer const& layer,
                                       Lane const& lane, int r, int source, float mu_voltage,
                                       float mu_current, float more) {
    int event = arrivals.event(r);
    layer.mu[adjoint_place(layer, lane, event)] = mu_current;
    if (!layer.wants_errors) return;
    float sum = warp_sum(arrival_error(layer, lane, source, mu_voltage, mu_current, more));
    if (lane.neuron % WARP == 0) layer.errors[error_place(layer, lane, event)] = sum;
}

// With delays lanes are at different events: sum_errors adds up.
__device__ __forceinline__ void arrive(OwnArrivals const& arrivals, Layer const& layer,
                                       Lane const& lane, int r, int source, float mu_voltage,
                                       float mu_current, float more) {
    size_t place = adjoint_place(layer, lane, arrivals.event(r));
    layer.mu[place] = mu_current;
    layer.by_time[place] = arrival_error(layer, lane, source, mu_voltage, mu_current, more);
}

// The same where the adjoint is still 0.
__device__ __forceinline__ void arrive_silent(CommonArrivals const& arrivals, Layer const& layer,
                                              Lane const& lane, int r) {
    int event = arrivals.event(r);
    layer.mu[adjoint_place(layer, lane, event)] = 0.0f;
    if (layer.wants_errors && lane.neuron % WARP == 0) {
        layer.errors[error_place(layer, lane, event)] = 0.0f;
    }
}

__device__ __forceinline__ void arrive_silent(OwnArrivals const& arrivals, Layer const& layer,
                                              Lane const& lane, int r) {
    size_t place = adjoint_place(layer, lane, arrivals.event(r));
    layer.mu[place] = 0.0f;
    layer.by_time[place] = 0.0f;
}

// The last record of those that walk together, of which each has its own.
__device__ __forceinline__ int last_of(CommonArrivals const&, int record) { return warp_max(record); }
__device__ __forceinline__ int last_of(OwnArrivals const&, int record) { return record; }

// What the jumps at a neuron's spikes have in common.
struct Jumps {
    float height;  // threshold minus reset
    float least;   // the slope floor
    float pull;    // of the rate regulariser
    int grazing;   // spikes at which the floor acted
};

__device__ __forceinline__ Jumps jumps_of(Layer const& layer, Lane const& lane, int spikes) {
    float height = layer.threshold[lane.neuron] - layer.reset;
    float pull = layer.target_strength * ((float)spikes - layer.target_count);
    return {height, height * layer.slope_floor, pull, 0};
}

// lambda_V just before a spike of slope `found`, from that just after and the loss's derivative by the
// spike's time (Wunderlich & Pehle 2021, eq. 3).
__device__ __forceinline__ float before_spike(Jumps& jumps, float found, float after, float error) {
    jumps.grazing += found < jumps.least;
    // Whatever the floor, rounding must not turn a slope over.
    float slope = fmaxf(fmaxf(found, jumps.least), jumps.height * 1.1920929e-7f);
    return fmaf(found + jumps.height, after, error) / slope - jumps.pull;
}

// The loss's derivative by the time of a spike: what the layer above sent back, tile by tile, or for
// an output layer the loss itself (`above_tiles` 0).
__device__ __forceinline__ float spike_error(Layer const& layer, Lane const& lane, int k, size_t slot,
                                             float const* above_errors, int above_width,
                                             int above_tiles, int every_spike) {
    if (above_tiles == 0) {
        bool counts = k == 0 || every_spike;
        return counts ? layer.derivatives[(size_t)lane.sample * layer.stride + lane.neuron] : 0.0f;
    }
    size_t place = (size_t)lane.sample * above_width + layer.spike_ranks[slot];
    float sum = 0.0f;
    for (int tile = 0; tile < above_tiles; tile++) sum += above_errors[place * above_tiles + tile];
    return sum;
}
