// What keeps a neuron from its next spike for a while: the reset at which it is held, and a threshold that each spike
// raises and that falls again. Whatever the ratio of time constants, its way through an interval is measured in ms.
#pragma once
#include "falling.cuh"

// No spike before the end of the interval.
#define NO_SPIKE (-1.0f)
// The neuron is not held at its reset.
#define FREE (-1.0f)

// Where a neuron's voltage is highest at its spike number `k`, `peak_intervals` is this.
__device__ __forceinline__ int mark_of_spike(int k) { return NO_EVENT - 1 - k; }
// That number, negative where it is at none.
__device__ __forceinline__ int top_spike(Layer const& layer, size_t place) {
    return NO_EVENT - 1 - layer.peak_intervals[place];
}

// How a threshold adapts.
struct Adaptation {
    float beta, tau;

    static __device__ __forceinline__ Adaptation of(Recovery const& recovery) { return {recovery.beta(), recovery.tau()}; }
};

// A neuron, and what is left of an interval.
struct Ahead {
    float u, current, u_end;
    float left;  // ms
    Interval step;

    static __device__ __forceinline__ Ahead of(Decay const& decay, float u, float current, float left) {
        Interval step = interval_of(decay, left);
        return {u, current, fmaf(u, step.mem, current * step.drive), left, step};
    }
};

// A threshold that stays.
struct StayingThreshold {
    float threshold;

    static __device__ __forceinline__ StayingThreshold of(float threshold) { return {threshold}; }

    // Whether it may be reached in an interval; false only where it is not.
    static __device__ __forceinline__ bool may_be_reached(float threshold, float, float current, float u_end,
                                                          float current_end) {
        return is_candidate(threshold, current, u_end, current_end);
    }
    // The time in ms from `now` until it is reached, or NO_SPIKE.
    __device__ __forceinline__ float time_to(Decay const& decay, Adaptation const&, Ahead const& at, float) const {
        if (!is_candidate(threshold, at.current, at.u_end, at.current * at.step.syn)) return NO_SPIKE;
        if (at.u_end <= threshold && !peak_is_above(decay, at.u, at.current, threshold)) return NO_SPIKE;
        return crossing(decay, at.u, at.current, threshold, {at.step, at.left});
    }
    // tau_mem times the slope with which a voltage under this current meets it.
    __device__ __forceinline__ float slope(Decay const&, Adaptation const&, float current, float) const {
        return current - threshold;
    }
    __device__ __forceinline__ void raise(Adaptation const&, float) {}
};

// One that a spike raises: it lies at base + B, and B decays.
struct AdaptiveThreshold {
    float base;
    float value, since;  // B, and when that was

    static __device__ __forceinline__ AdaptiveThreshold of(float threshold) { return {threshold, 0.0f, 0.0f}; }

    // B does not count here: it may fall faster than the voltage.
    static __device__ __forceinline__ bool may_be_reached(float base, float u, float current, float u_end,
                                                          float current_end) {
        return u > base || is_candidate(base, current, u_end, current_end);
    }
    __device__ __forceinline__ float adaptation(Adaptation const& by, float time) const {
        return value * expf((since - time) / by.tau);
    }
    __device__ __forceinline__ float time_to(Decay const& decay, Adaptation const& by, Ahead const& at,
                                             float now) const {
        float adaptation = this->adaptation(by, now);
        // It is lowest at the end.
        float lowest = fmaf(adaptation, expf(-at.left / by.tau), base);
        bool is_out_of_reach =
            at.u <= lowest && !is_candidate(lowest, at.current, at.u_end, at.current * at.step.syn);
        if (is_out_of_reach) return NO_SPIKE;
        float time = Falling{decay, at.u, at.current, base, adaptation, by.tau}.time_to(at.left);
        return time < 0.0f ? NO_SPIKE : time;
    }
    __device__ __forceinline__ float slope(Decay const& decay, Adaptation const& by, float current,
                                           float now) const {
        float adaptation = this->adaptation(by, now);
        return current - base - adaptation + adaptation * (decay.tau_mem / by.tau);
    }
    __device__ __forceinline__ void raise(Adaptation const& by, float now) {
        value = adaptation(by, now) + by.beta;
        since = now;
    }
};
