// How the step over an interval depends on the time constants.
#pragma once
#include "decay.cuh"

// The derivatives of a step's coefficients.
struct Sensitivity {
    float mem_by_mem, drive_by_mem, syn_by_syn, drive_by_syn;
};

// (exp(z) - 1 - z)/z^2 for |z| < 1/2.
__device__ __forceinline__ float second_phi(float z) {
    float sum = 1.0f / 362880.0f;
    sum = fmaf(sum, z, 1.0f / 40320.0f);
    sum = fmaf(sum, z, 1.0f / 5040.0f);
    sum = fmaf(sum, z, 1.0f / 720.0f);
    sum = fmaf(sum, z, 1.0f / 120.0f);
    sum = fmaf(sum, z, 1.0f / 24.0f);
    sum = fmaf(sum, z, 1.0f / 6.0f);
    return fmaf(sum, z, 0.5f);
}

// With the drive C/tau_mem, C the convolution of the two decays: dC/d(1/tau_mem) is minus the convolution of C with
// the membrane's decay, dC/d(1/tau_syn) minus that with the current's.
__device__ __forceinline__ Sensitivity sensitivity_of(Decay const& decay, float dt, Interval const& step) {
    float rate = 1.0f / decay.tau_mem, per_syn = 1.0f / decay.tau_syn;
    float once = step.drive * decay.tau_mem;
    float mem = dt * step.mem, syn = dt * step.syn;
    float z = dt * decay.difference;
    bool is_near = fabsf(z) < 0.5f;
    float with_mem = is_near ? dt * mem * second_phi(-z) : (mem - once) / decay.difference;
    float with_syn = is_near ? dt * syn * second_phi(z) : (once - syn) / decay.difference;
    return {mem * rate * rate, fmaf(rate, with_mem, -once) * rate * rate, syn * per_syn * per_syn,
            rate * with_syn * per_syn * per_syn};
}
