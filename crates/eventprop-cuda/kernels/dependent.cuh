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

// The derivatives of the integral of f V over the duration, f(t) = exp(-rate t).
struct Means {
    float by_mem, by_syn, by_bias;
};

// These, from how a neuron depends on its constants at the end. By parts, as in mean_voltage of li_forward.cu: the
// derivatives y by tau_mem, z by tau_syn and b by the bias of V, and i by tau_syn of I obey tau_mem y' = -y - V',
// tau_mem z' = -z + i, tau_mem b' = -b + 1 and tau_syn i' = -i + I/tau_syn. `arrived` is the sum of the weights that
// arrived, `fallen` that of how far spikes let the voltage fall, both weighted by f; `mean` is what was measured.
__device__ __forceinline__ Means means_of(Layer const& layer, Decay const& decay, Dependent const& at, float bias,
                                          double arrived, double fallen, float mean) {
    float rate = layer.rate, duration = layer.duration, last = expf(-rate * duration);
    float of_mem = 1.0f / fmaf(decay.tau_mem, rate, 1.0f), of_syn = 1.0f / fmaf(decay.tau_syn, rate, 1.0f);
    float currents = (float)(arrived - last * at.current) * decay.tau_syn * of_syn;
    float derived = (currents / decay.tau_syn - decay.tau_syn * last * at.current_by_syn) * of_syn;
    float change = (float)(fallen + fmaf(last, at.u + bias, rate * duration * mean));
    float whole = rate == 0.0f ? duration : (1.0f - last) / rate;
    return {(-change - decay.tau_mem * last * at.by_mem) * of_mem, (derived - decay.tau_mem * last * at.by_syn) * of_mem,
            (whole - decay.tau_mem * last * voltage_by_bias(decay, duration)) * of_mem};
}

// What a neuron leaves of a sample: sum_constants adds up.
__device__ __forceinline__ void leave(float* parts, Layer const& layer, int sample, int neuron, int constant,
                                      float value) {
    parts[((size_t)constant * layer.samples + sample) * layer.stride + neuron] = value;
}
