// How a neuron depends on its constants.
//
// A neuron's adjoint is the sum of what its spikes, or its maximum, send back: at each lambda_V jumps, and what jumped
// goes back undisturbed. So the loss's derivative by a constant is the sum of those jumps, each times -tau_mem and the
// voltage's derivative by the constant where it jumped, which is known going forwards, beside the voltage itself.
#pragma once
#include "sensitivity.cuh"
#include "trace.cuh"

// A neuron, and how it depends on its time constants. A reset of the voltage leaves its derivatives alone.
struct Dependent {
    float u, current;
    float by_mem, by_syn, current_by_syn;

    __device__ __forceinline__ void advance(Decay const& decay, float dt) {
        Interval step = interval_of(decay, dt);
        Sensitivity by = sensitivity_of(decay, dt, step);
        by_mem = fmaf(by_mem, step.mem, fmaf(u, by.mem_by_mem, current * by.drive_by_mem));
        by_syn = fmaf(by_syn, step.mem, fmaf(current_by_syn, step.drive, current * by.drive_by_syn));
        current_by_syn = fmaf(current_by_syn, step.syn, current * by.syn_by_syn);
        u = fmaf(u, step.mem, current * step.drive);
        current *= step.syn;
    }
};

// The voltage's derivative by the bias current, which no spike undoes either.
__device__ __forceinline__ float voltage_by_bias(Decay const& decay, float time) {
    return -expm1f(-time / decay.tau_mem);
}

// What a neuron leaves of a sample: sum_constants adds up.
__device__ __forceinline__ void leave(float* parts, Layer const& layer, int sample, int neuron, int constant,
                                      float value) {
    parts[((size_t)constant * layer.samples + sample) * layer.stride + neuron] = value;
}
