// What an interval does to a neuron: u <- mem u + drive I, I <- syn I, with u = V - bias.
#pragma once
#include "types.cuh"

struct Interval {
    float mem, syn, drive;
};

// That of two time constants; src/constants.rs does the same.
__device__ __forceinline__ Decay decay_with(float tau_mem, float tau_syn) {
    float difference = (tau_mem - tau_syn) / (tau_mem * tau_syn);
    float ratio = tau_mem / tau_syn;
    bool is_integer = ratio >= 2.0f && ratio <= 10.0f && ratio == rintf(ratio);
    return {tau_mem, tau_syn, difference, 1.0f / (tau_mem * difference), ratio, is_integer ? (int)ratio : 0};
}

// (exp(z) - 1)/z for |z| < 1/2.
__device__ __forceinline__ float phi(float z) {
    float sum = 1.0f / 40320.0f;
    sum = fmaf(sum, z, 1.0f / 5040.0f);
    sum = fmaf(sum, z, 1.0f / 720.0f);
    sum = fmaf(sum, z, 1.0f / 120.0f);
    sum = fmaf(sum, z, 1.0f / 24.0f);
    sum = fmaf(sum, z, 1.0f / 6.0f);
    sum = fmaf(sum, z, 0.5f);
    return fmaf(sum, z, 1.0f);
}

// The step over dt ms: near equal time constants the drive is es expm1(dt d)/(tau_mem d).
__device__ __forceinline__ Interval interval_of(Decay const& decay, float dt) {
    float mem = expf(-dt / decay.tau_mem);
    float syn = expf(-dt / decay.tau_syn);
    float z = dt * decay.difference;
    float drive = fabsf(z) < 0.5f ? syn * (dt / decay.tau_mem) * phi(z) : decay.gain * (mem - syn);
    return {mem, syn, drive};
}

// One step after another.
__device__ __forceinline__ Interval then(Interval a, Interval b) {
    return {a.mem * b.mem, a.syn * b.syn, fmaf(a.drive, b.mem, a.syn * b.drive)};
}

// The time from (u, I) to the extremum of u, where it equals the current: ln(1 + z)/d with
// z = tau_mem d (I - u)/(I + tau_mem d u).
__device__ __forceinline__ float time_of_extremum(Decay const& decay, float u, float current) {
    float scale = decay.tau_mem * decay.difference;
    float linear = (current - u) / fmaf(scale, u, current);
    float z = scale * linear;
    // ln(1 + z)/z by its series where z is small: equal constants are no exception.
    float series = -0.125f;
    series = fmaf(series, z, 1.0f / 7.0f);
    series = fmaf(series, z, -1.0f / 6.0f);
    series = fmaf(series, z, 0.2f);
    series = fmaf(series, z, -0.25f);
    series = fmaf(series, z, 1.0f / 3.0f);
    series = fmaf(series, z, -0.5f);
    series = fmaf(series, z, 1.0f);
    return fabsf(z) < 0.01f ? decay.tau_mem * linear * series : logf(1.0f + z) / decay.difference;
}

__device__ __forceinline__ Record record_of(Decay const& decay, float dt, int source) {
    Interval step = interval_of(decay, dt);
    return {step.mem, step.syn, step.drive, source};
}

// Whether a record's interval has no length: arrivals of one moment take effect together.
__device__ __forceinline__ bool is_empty(Record const& record) {
    return record.mem == 1.0f && record.drive == 0.0f;
}

// The integral of exp(-rate t) from `start` to `end`.
__device__ __forceinline__ float integral_of_weight(float rate, float start, float end) {
    return rate == 0.0f ? end - start : (expf(-rate * start) - expf(-rate * end)) / rate;
}
