// What a walk back leaves behind: the adjoint at every arrival, and the loss's derivative by its time.
#pragma once
#include "adjoint.cuh"

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

    __device__ __forceinline__ Trace(Layer const& layer, Decay const& decay, Lane const& at,
                                     CommonArrivals const& arrivals, Parts& all)
        : mu(layer.mu + adjoint_place(layer, at, 0)),
          totals(layer.errors + ((size_t)at.sample * layer.width * layer.tiles + at.tile)),
          parts(all[walker()]),
          per_syn(1.0f / decay.tau_syn),
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

    __device__ __forceinline__ Trace(Layer const& layer, Decay const& decay, Lane const& at, OwnArrivals const&,
                                     Parts&)
        : mu(layer.mu + adjoint_place(layer, at, 0)),
          by_time(layer.by_time + adjoint_place(layer, at, 0)),
          per_syn(1.0f / decay.tau_syn),
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
