// With delays every neuron of a recurrent layer has a queue of its own: the spikes of its layer in the order in
// which they arrive there, as keys of time (upper half) and event (lower half).
#pragma once
#include "arrivals.cuh"

// Later than anything that arrives.
#define NEVER __int_as_float(0x7f800000)

struct Queue {
    unsigned long long* keys;  // a row of neurons an arrival
    size_t stride;
    int count;

    static __device__ __forceinline__ Queue of(Layer const& below, Layer const& layer, int sample,
                                               int neuron, int count) {
        size_t row = (size_t)sample * room(below, layer);
        return {layer.heard + row * layer.stride + neuron, (size_t)layer.stride, count};
    }

    // The spikes of the layer and sample that there is room for.
    static __device__ __forceinline__ int room(Layer const& below, Layer const& layer) {
        return layer.width - below.width;
    }

    __device__ __forceinline__ unsigned long long& at(int i) const { return keys[(size_t)i * stride]; }
    __device__ __forceinline__ int event(int i) const { return (int)(unsigned)at(i); }
    __device__ __forceinline__ float time(int i) const { return __uint_as_float((unsigned)(at(i) >> 32)); }

    // The event is later than all that are in the queue: among those that arrive together it is the last.
    __device__ __forceinline__ void insert(float time, int event) {
        unsigned long long key = (unsigned long long)__float_as_uint(time) << 32 | (unsigned)event;
        int place = count++;
        for (; place > 0 && at(place - 1) > key; place--) at(place) = at(place - 1);
        at(place) = key;
    }
};

// Of two arrivals at one moment, that from below comes first.
__device__ __forceinline__ bool is_from_below(float below, float own) { return below <= own; }
