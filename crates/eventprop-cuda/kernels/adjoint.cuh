// The reverse sweep of one neuron, carrying mu = -tau_syn lambda: the gradient by a weight is then mu_I
// itself at the arrival.
#pragma once
#include "walk.cuh"
#include "warp.cuh"

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

// Arrivals whose errors are added up over a warp at once.
#define SUMMED 16

// The errors of SUMMED arrivals at each neuron of each warp; a row is longer by one, so that lanes that read
// one neuron each of another row meet in no bank.
typedef float Parts[WALKERS][SUMMED][WARP + 1];

// Where a warp leaves what it finds on its way back, arrival by arrival, the last first; `errors` if the layer
// below wants them. The derivative by an arrival's time is weight * (mu_I - mu_V) / tau_syn, and what does not come
// from the adjoint.
template <class Arrivals, bool errors>
struct Trace;

// What arrives at all neurons at once has one error, added up over the warp: those of SUMMED arrivals
// together, by two lanes each, half of the neurons a lane.
template <bool errors>
struct Trace<CommonArrivals, errors> {
    float* mu;      // of the arrival at hand
    float* totals;  // of the sample's first arrival
    float (*parts)[WARP + 1];
    float per_syn;
    int stride, tiles, lane, events;

    __device__ __forceinline__ Trace(Layer const& layer, Lane const& at, CommonArrivals const& arrivals,
                                     Parts& all)
        : mu(layer.mu + adjoint_place(layer, at, 0)),
          totals(layer.errors + ((size_t)at.sample * layer.width * layer.tiles + at.tile)),
          parts(all[walker()]),
          per_syn(1.0f / layer.decay.tau_syn),
          stride(layer.stride),
          tiles(layer.tiles),
          lane(at.neuron % WARP),
          events(arrivals.events) {}

    // Leaves the arrivals after the lot of record `top`, where the adjoint is still 0, and returns from which record
    // the others are to be visited.
    __device__ __forceinline__ int leave_silent(CommonArrivals const&, int top) {
        top = max(top, 0) | (LOT - 1);
        int r = max(events, top);
        mu += (long long)(r - 1) * stride;
        for (; r > top; r--) arrive(r, 0.0f, 0.0f);
        return top;
    }

    __device__ __forceinline__ void arrive(CommonArrivals const&, int r, float weight, float mu_voltage,
                                           float mu_current, float more) {
        arrive(r, mu_current, errors ? fmaf(weight * (mu_current - mu_voltage), per_syn, more) : 0.0f);
    }

    // Lots are visited whole: there may be no arrival.
    __device__ __forceinline__ void arrive(int r, float mu_current, float error) {
        bool exists = r > 0 && r <= events;
        if (exists) *mu = mu_current;
        mu -= stride;
        if (errors && exists) add(r - 1, error);
    }

    __device__ __forceinline__ void add(int event, float error) {
        int row = event & (SUMMED - 1);
        parts[row][lane] = error;
        if (row > 0) return;
        __syncwarp();
        float const* own = parts[lane % SUMMED] + lane / SUMMED * (WARP / 2);
        float sum = 0.0f;
        for (int n = 0; n < WARP / 2; n++) sum += own[n];
        sum += __shfl_xor_sync(FULL_WARP, sum, SUMMED);
        event += lane;
        if (lane < SUMMED && event < events) totals[(size_t)event * tiles] = sum;
        __syncwarp();
    }
};

// With delays lanes are at different events: sum_errors adds up.
template <bool errors>
struct Trace<OwnArrivals, errors> {
    float* mu;  // of the sample's first event
    float* by_time;
    float per_syn;
    int stride;

    __device__ __forceinline__ Trace(Layer const& layer, Lane const& at, OwnArrivals const&, Parts&)
        : mu(layer.mu + adjoint_place(layer, at, 0)),
          by_time(layer.by_time + adjoint_place(layer, at, 0)),
          per_syn(1.0f / layer.decay.tau_syn),
          stride(layer.stride) {}

    __device__ __forceinline__ int leave_silent(OwnArrivals const& arrivals, int top) {
        for (int r = arrivals.events; r > max(top, 0); r--) leave(arrivals, r, 0.0f, 0.0f);
        return top;
    }

    __device__ __forceinline__ void arrive(OwnArrivals const& arrivals, int r, float weight, float mu_voltage,
                                           float mu_current, float more) {
        leave(arrivals, r, mu_current, fmaf(weight * (mu_current - mu_voltage), per_syn, more));
    }

    __device__ __forceinline__ void leave(OwnArrivals const& arrivals, int r, float mu_current, float error) {
        size_t place = (size_t)arrivals.event(r) * stride;
        mu[place] = mu_current;
        by_time[place] = error;
    }
};

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

// Counts the spikes, once all is known of them.
__device__ __forceinline__ Jumps jumps_of(Layer const& layer, Lane const& lane, int spikes) {
    if (spikes > 0) atomicAdd(&layer.activity[lane.neuron], (unsigned long long)spikes);
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
