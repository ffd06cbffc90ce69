// The reverse sweep of one neuron, carrying mu = -tau_syn lambda: the gradient by a weight is then mu_I
// itself at the arrival.
#pragma once
#include "walk.cuh"
#include "warp.cuh"

// A neuron's -tau_syn lambda.
struct Mu {
    float mu_voltage, mu_current;
};

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

// The last record of those that walk together, of which each has its own.
__device__ __forceinline__ int last_of(CommonArrivals const&, int record) { return warp_max(record); }
__device__ __forceinline__ int last_of(OwnArrivals const&, int record) { return record; }

// What the jumps at a neuron's spikes have in common.
struct Jumps {
    float height;  // threshold minus reset
    float least;   // the slope floor
    float pull;    // of the rate regulariser
    int grazing;   // spikes at which the floor acted

    // lambda_V just before a spike of this slope but for the pull, where all that counts for its time is `error`; the
    // floor is `floor`.
    __device__ __forceinline__ float before_recovery(float floor, float slope, float error) {
        grazing += slope < floor;
        // Whatever the floor, rounding must not turn a slope over.
        return error / fmaxf(fmaxf(slope, floor), height * 1.1920929e-7f);
    }
};

// Those of a neuron that spiked so often.
__device__ __forceinline__ Jumps jumps_among(Layer const& layer, Lane const& lane, int spikes) {
    float threshold = layer.threshold[lane.neuron];
    float pull = layer.target_strength * ((float)spikes - layer.target_count);
    return {threshold - layer.reset, threshold * layer.slope_floor, pull, 0};
}

// The same, and counts the spikes, once all is known of them.
__device__ __forceinline__ Jumps jumps_of(Layer const& layer, Lane const& lane, int spikes) {
    if (spikes > 0) atomicAdd(&layer.activity[lane.neuron], (unsigned long long)spikes);
    return jumps_among(layer, lane, spikes);
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
