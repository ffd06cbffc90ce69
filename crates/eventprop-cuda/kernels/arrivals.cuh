// What a neuron hears: record 0 is the interval from time 0 to its first arrival, record r starts with its
// r-th arrival. Walks are written once, for either kind of arrivals.
#pragma once
#include "decay.cuh"

// What stands where there is no record: nothing arrives and no time passes.
__device__ __forceinline__ Record no_record() { return {1.0f, 1.0f, 0.0f, NO_EVENT}; }

// Without delays all neurons of a layer hear the same at the same times: one list of records for all.
struct CommonArrivals {
    typedef CommonArrivals Order;

    Record const* records;
    float const* starts;
    float const* weighting;
    int events;  // what was sent
    int count;   // what arrives

    static __device__ __forceinline__ CommonArrivals of(Layer const& layer, int sample, int) {
        size_t row = (size_t)sample * layer.width;
        int count = layer.counts[sample];
        return {layer.records + row, layer.times + row, layer.factors + row, count, count};
    }

    static __device__ __forceinline__ Decay const& decay_of(Layer const& layer, int) { return layer.decay; }

    __device__ __forceinline__ Record record(int r) const { return records[r]; }
    __device__ __forceinline__ int source(int r) const { return records[r].source; }
    __device__ __forceinline__ float start(int r) const { return starts[r]; }
    __device__ __forceinline__ float factor(int r) const { return weighting[r]; }
    __device__ __forceinline__ int event(int r) const { return r - 1; }
};

// With a delay at each synapse every neuron has its own order, which sort_arrivals makes: keys of time
// (upper half) and event (lower half). Events that come too late for the neuron follow at the end.
#define TOO_LATE (0xffffffffull << 32)

struct OwnArrivals {
    typedef OwnArrivals Order;

    Layer const& layer;
    unsigned long long const* keys;  // a row of neurons an arrival
    Record const* senders;
    int events, count;

    static __device__ __forceinline__ OwnArrivals of(Layer const& layer, int sample, int neuron) {
        size_t row = (size_t)sample * layer.width;
        int count = layer.heard_counts[(size_t)sample * layer.stride + neuron];
        return {layer, layer.heard + row * layer.stride + neuron, layer.records + row + 1,
                layer.counts[sample], count};
    }

    static __device__ __forceinline__ Decay const& decay_of(Layer const& layer, int) { return layer.decay; }

    __device__ __forceinline__ unsigned long long key(int r) const {
        return keys[(size_t)(r - 1) * layer.stride];
    }
    __device__ __forceinline__ int event(int r) const { return (int)(unsigned)key(r); }
    __device__ __forceinline__ float start(int r) const {
        if (r == 0) return 0.0f;
        return r > count ? layer.duration : __uint_as_float((unsigned)(key(r) >> 32));
    }
    __device__ __forceinline__ int source(int r) const { return r == 0 ? -1 : senders[event(r)].source; }
    __device__ __forceinline__ Record record(int r) const {
        return record_of(layer.decay, start(r + 1) - start(r), source(r));
    }
    __device__ __forceinline__ float factor(int r) const { return expf(-layer.rate * start(r)); }
};

// Either, where each neuron has time constants of its own: it computes its decays itself.
template <class Arrivals>
struct Heterogeneous : Arrivals {
    Decay const& decay;

    static __device__ __forceinline__ Decay const& decay_of(Layer const& layer, int neuron) {
        return layer.decays[neuron];
    }

    static __device__ __forceinline__ Heterogeneous of(Layer const& layer, int sample, int neuron) {
        return {Arrivals::of(layer, sample, neuron), decay_of(layer, neuron)};
    }

    __device__ __forceinline__ Record record(int r) const {
        if (r > this->count) return no_record();
        return record_of(decay, this->start(r + 1) - this->start(r), this->source(r));
    }
};
