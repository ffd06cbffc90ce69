// What a neuron hears, one arrival after the other, wherever it comes from: for walks for which that is not fetched ahead.
#pragma once
#include "queue.cuh"

// From a list.
template <class Arrivals>
struct Listed {
    Arrivals arrivals;
    int heard;

    static __device__ __forceinline__ Listed of(Layer const&, Layer const& heard, int sample, int column) {
        return {Arrivals::of(heard, sample, column), 0};
    }

    __device__ __forceinline__ bool is_over() const { return heard == arrivals.count; }
    // When the next arrives, or the end.
    __device__ __forceinline__ float next() const { return arrivals.start(heard + 1); }
    // Who sent it.
    __device__ __forceinline__ int take() { return arrivals.source(++heard); }
};

// The same from a list of what comes from below and a queue of what neurons of the walk sent.
template <class Arrivals>
struct Queued {
    Arrivals arrivals;
    Queue queue;
    Record const* records;  // of the walk's first event
    float duration;
    int below, own;

    static __device__ __forceinline__ Queued of(Layer const& below, Layer const& heard, int sample, int column) {
        int queued = heard.heard_counts[(size_t)sample * heard.stride + column];
        return {Arrivals::of(below, sample, column), Queue::of(below, heard, sample, column, queued),
                heard.records + (size_t)sample * heard.width + 1, heard.duration, 0, 0};
    }

    __device__ __forceinline__ bool is_over() const { return below == arrivals.count && own == queue.count; }
    __device__ __forceinline__ float from_below() const {
        return below < arrivals.count ? arrivals.start(below + 1) : NEVER;
    }
    __device__ __forceinline__ float from_own() const { return own < queue.count ? queue.time(own) : NEVER; }
    __device__ __forceinline__ float next() const { return fminf(fminf(from_below(), from_own()), duration); }
    __device__ __forceinline__ int take() {
        int event = is_from_below(from_below(), from_own()) ? arrivals.event(++below) : queue.event(own++);
        return records[event].source;
    }
};
