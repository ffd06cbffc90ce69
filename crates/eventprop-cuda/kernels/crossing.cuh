// The first time a neuron reaches its threshold inside an interval.
//
// u has at most one maximum where I > 0 (and none where I <= 0, only a minimum), so at most one
// upward crossing before a reset. For tau_mem = R tau_syn it is sought in y = 1 - exp(-s/tau_mem), where
// u = A (1 - y) - B (1 - y)^R is a polynomial, otherwise in s itself; in both by Newton's method inside
// a bracket.
#pragma once
#include "decay.cuh"

#define EPSILON 1.1920929e-7f
#define MAX_NEWTON 48

// What is left of an interval.
struct Rest {
    Interval step;
    float dt;
};

// Whether the neuron may cross: it ends above the threshold, or falls at the end and could have been
// above before (where u equals the current, which only decays).
__device__ __forceinline__ bool is_candidate(float threshold, float current, float u_end,
                                             float current_end) {
    return u_end > threshold || (current > threshold && u_end > current_end);
}

// x^n for n of 1 to 10, which all threads share: without a loop.
__device__ __forceinline__ float power(float x, int n) {
    float x2 = x * x, x4 = x2 * x2;
    float product = (n & 1) ? x : 1.0f;
    if (n & 2) product *= x2;
    if (n & 4) product *= x4;
    if (n & 8) product *= x4 * x4;
    return product;
}

// Whether the maximum inside the interval, if there is one, is above the threshold.
__device__ __forceinline__ bool peak_is_above(Decay const& decay, float u, float current,
                                              float threshold) {
    if (current <= 0.0f) return false;
    if (decay.integer_ratio == 0) {
        float s = time_of_extremum(decay, u, current);
        return current * expf(-s / decay.tau_syn) > threshold;
    }
    // It lies at x^(R-1) = A/(R B) and is A x (R-1)/R high: no root is needed to compare powers.
    float r = (float)decay.integer_ratio;
    float b = current / (r - 1.0f);
    float a = u + b;
    if (a <= 0.0f) return false;
    if (threshold <= 0.0f) return true;
    float high = a * (r - 1.0f) / (r * threshold);
    return a * power(high, decay.integer_ratio - 1) > b * r;
}

// The voltage above the threshold and its slope in the coordinate of the search.
struct Height {
    float value, slope;
};

__device__ __forceinline__ Height height_at(Decay const& decay, float u, float current,
                                            float threshold, float at) {
    if (decay.integer_ratio != 0) {
        float r = (float)decay.integer_ratio;
        float b = current / (r - 1.0f);
        float a = u + b;
        float x = 1.0f - at;
        float low = b * power(x, decay.integer_ratio - 1);
        return {fmaf(x, a - low, -threshold), fmaf(r, low, -a)};
    }
    Interval step = interval_of(decay, at);
    float voltage = fmaf(u, step.mem, current * step.drive);
    return {voltage - threshold, fmaf(current, step.syn, -voltage) / decay.tau_mem};
}

// The coordinate of the crossing: y, or s in ms. It lies before the end of `rest`, where the voltage
// is above the threshold or falls through it.
__device__ __forceinline__ float crossing(Decay const& decay, float u, float current,
                                          float threshold, Rest const& rest) {
    bool polynomial = decay.integer_ratio != 0;
    float unit = polynomial ? 1.0f : decay.tau_mem;
    float low = 0.0f;
    float high = polynomial ? 1.0f - rest.step.mem : rest.dt;
    // The second-order expansion, in units of the coordinate.
    float gap = fmaxf(threshold - u, 0.0f);
    float rise = current - u;
    float curvature = polynomial ? decay.ratio * current : fmaf(decay.ratio, current, rise);
    float discriminant = fmaxf(fmaf(rise, rise, -2.0f * curvature * gap), 0.0f);
    float denominator = rise + sqrtf(discriminant);
    // Here and in the steps a quotient may be off by its last bits: where the search ends is not.
    float at = denominator > 0.0f ? __fdividef(2.0f * gap, denominator) * unit : high;
    at = fminf(at, high);
    float bend = fmaxf(fabsf(curvature), fabsf(rise)) / (unit * unit);
    for (int round = 0; round < MAX_NEWTON; round++) {
        Height height = height_at(decay, u, current, threshold, at);
        // Beyond a maximum is beyond the crossing; before a minimum is before it.
        bool beyond = height.value > 0.0f || (height.slope <= 0.0f && current > 0.0f);
        if (beyond) high = at; else low = at;
        float step = __fdividef(height.value, height.slope);
        float next = at - step;
        bool inside = next >= low && next <= high;
        if (!inside) {
            next = 0.5f * (low + high);
            step = at - next;
        }
        at = next;
        // What the next round would change.
        if (inside && step * step * bend <= EPSILON * unit * fabsf(height.slope)) break;
        if (high - low <= EPSILON * high) break;
    }
    return at;
}

// The step from the start to a crossing.
__device__ __forceinline__ Interval interval_to(Decay const& decay, float at) {
    if (decay.integer_ratio == 0) return interval_of(decay, at);
    float mem = 1.0f - at;
    float syn = power(mem, decay.integer_ratio);
    return {mem, syn, decay.gain * (mem - syn)};
}

// What is left of `rest` after a crossing.
__device__ __forceinline__ Rest rest_after(Decay const& decay, Rest const& rest, Interval const& to,
                                           float at) {
    if (decay.integer_ratio == 0) {
        float dt = fmaxf(rest.dt - at, 0.0f);
        return {interval_of(decay, dt), dt};
    }
    float mem = fminf(rest.step.mem / to.mem, 1.0f);
    float syn = power(mem, decay.integer_ratio);
    return {{mem, syn, decay.gain * (mem - syn)}, rest.dt};
}

// Time in ms from the start of the interval, of which `to` leads to the crossing.
__device__ __forceinline__ float elapsed(Decay const& decay, Interval const& to, float sum) {
    return decay.integer_ratio == 0 ? sum : -decay.tau_mem * logf(to.mem);
}
