// The first time a neuron reaches a threshold that falls, as in lif_core::crossing: an interval is cut where the
// voltage above the threshold turns, of which there are two places at most, and a crossing is sought where that grows
// from below 0 to above: none is missed, and none taken for another.
#pragma once
#include "crossing.cuh"

#define NO_TURN (-1.0f)
// Decays after so many of their time constants have no sign left in single precision.
#define FORGOTTEN 80.0f
#define MAX_ROUNDS 64

// A value and its derivative.
struct Jet {
    float value, slope;
};

// The root of f in [low, high], where f(low) < 0 <= f(high), by Newton's method inside a bracket; values of f are as
// good as `resolution`.
template <class F>
__device__ __forceinline__ float root_in(float low, float high, float resolution, F const& f) {
    float x = 0.5f * (low + high), last_step = high - low;
#pragma unroll 1
    for (int round = 0; round < MAX_ROUNDS; round++) {
        Jet at = f(x);
        if (at.value < 0.0f) low = x; else high = x;
        float newton = x - at.value / at.slope;
        bool inside = newton >= low && newton <= high;
        if (fabsf(at.value) <= resolution) return inside ? newton : x;
        bool fast = fabsf(2.0f * at.value) < fabsf(last_step * at.slope);
        float next = inside && fast ? newton : 0.5f * (low + high);
        last_step = fabsf(next - x);
        if (last_step <= EPSILON * fabsf(x)) return next;
        x = next;
    }
    return x;
}

// A neuron on its way to a threshold of base + B; voltages are counted from the bias.
struct Falling {
    Decay const& decay;
    float u, current, base, adaptation, tau;

    struct Moment {
        float u, current, adaptation;
    };
    __device__ __forceinline__ Moment after(float s) const {
        Interval step = interval_of(decay, s);
        return {fmaf(u, step.mem, current * step.drive), current * step.syn, adaptation * expf(-s / tau)};
    }
    // tau_mem (V - B)'.
    __device__ __forceinline__ float rise(Moment const& at) const {
        return at.current - at.u + at.adaptation * (decay.tau_mem / tau);
    }
    // V - B - base after a time s, and its derivative.
    __device__ __forceinline__ Jet distance(float s) const {
        Moment at = after(s);
        return {at.u - at.adaptation - base, rise(at) / decay.tau_mem};
    }
    // tau_mem (V - B)' after a time s, and its derivative.
    __device__ __forceinline__ Jet turning(float s) const {
        Moment at = after(s);
        float by_voltage = (at.current - at.u) / decay.tau_mem + at.current / decay.tau_syn;
        return {rise(at), -by_voltage - at.adaptation * (decay.tau_mem / tau) / tau};
    }
    // The one time at which the derivative of exp(s/tau) (V - B)' can be 0, or NO_TURN.
    __device__ __forceinline__ float split() const {
        float rate = 1.0f / tau - 1.0f / decay.tau_mem;
        float drive = current / decay.tau_syn;
        float w = (rate * (current - u) - drive) / (drive * (rate - decay.difference));
        float s = decay.difference == 0.0f ? w : -log1pf(-decay.difference * w) / decay.difference;
        return s > 0.0f && s < 1e30f ? s : NO_TURN;
    }
    // The time between two at which V - B turns, given that it does at most once, or NO_TURN.
    __device__ __forceinline__ float turn_between(float from, float to) const {
        float start = turning(from).value, end = turning(to).value;
        if (!((start < 0.0f && end > 0.0f) || (start > 0.0f && end < 0.0f))) return NO_TURN;
        float sign = start < 0.0f ? 1.0f : -1.0f;
        return root_in(from, to, EPSILON * fabsf(start), [&](float s) {
            Jet at = turning(s);
            return Jet{sign * at.value, sign * at.slope};
        });
    }
    // The first time s in [0, dt] at which it is reached from below, or -1.
    __device__ __forceinline__ float time_to(float dt) const {
        Jet first = distance(0.0f);
        if (first.value >= 0.0f && first.slope > 0.0f) return 0.0f;
        float slowest = fmaxf(adaptation > 0.0f ? tau : 0.0f, fmaxf(decay.tau_mem, decay.tau_syn));
        float known = fminf(dt, FORGOTTEN * slowest);
        float middle = split();
        if (middle < 0.0f || middle > known) middle = known;
        float low = 0.0f;
        bool is_below = first.value < 0.0f;
        // The pieces up to a turn before the middle, up to one after it, and up to the end.
#pragma unroll 1
        for (int piece = 0; piece < 3; piece++) {
            float end = piece == 2 ? dt : turn_between(piece == 0 ? 0.0f : middle, piece == 0 ? middle : known);
            if (end < 0.0f) continue;
            bool is_above = distance(end).value >= 0.0f;
            if (is_below && is_above) {
                return root_in(low, end, EPSILON * fabsf(base), [&](float s) { return distance(s); });
            }
            low = end;
            is_below = !is_above;
        }
        return -1.0f;
    }
};
