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

// The derivatives of the integral of f V, f(t) = exp(-rate t), over the times in which a neuron is not held at its reset.
struct Means {
    float by_mem, by_syn, by_bias;
};

// What these follow from, added up over such times. By parts, as in mean_voltage of li_forward.cu: the derivatives y by
// tau_mem, z by tau_syn and b by the bias of V, and i by tau_syn of I obey tau_mem y' = -y - V', tau_mem z' = -z + i,
// tau_mem b' = -b + 1 and tau_syn i' = -i + I/tau_syn.
struct Integrals {
    double currents, changes;                       // by how much f I falls, and f V grows: much of it falls and grows again
    float by_mem, by_syn, current_by_syn, by_bias;  // by how much f times each grows
    float weight;                                   // the integral of f

    // Adds a time in which nothing happens.
    __device__ __forceinline__ void add(Layer const& layer, Decay const& decay, Dependent const& from,
                                        Dependent const& to, float start, float end) {
        float first = expf(-layer.rate * start), last = expf(-layer.rate * end);
        weight += integral_of_weight(layer.rate, start, end);
        currents += (double)first * from.current - (double)last * to.current;
        changes += (double)last * to.u - (double)first * from.u;
        by_mem += last * to.by_mem - first * from.by_mem;
        by_syn += last * to.by_syn - first * from.by_syn;
        current_by_syn += last * to.current_by_syn - first * from.current_by_syn;
        by_bias += last * voltage_by_bias(decay, end) - first * voltage_by_bias(decay, start);
    }

    __device__ __forceinline__ Means means(Layer const& layer, Decay const& decay) const {
        float rate = layer.rate, mem = decay.tau_mem, syn = decay.tau_syn;
        float of_mem = 1.0f / fmaf(mem, rate, 1.0f), of_syn = 1.0f / fmaf(syn, rate, 1.0f);
        float charge = (float)currents * syn * of_syn;
        float derived = fmaf(-syn, current_by_syn, charge / syn) * of_syn;
        float whole = (float)(changes + (double)(rate * of_mem) * (charge - mem * changes));
        return {(-whole - mem * by_mem) * of_mem, (derived - mem * by_syn) * of_mem, (weight - mem * by_bias) * of_mem};
    }
};

// What a neuron leaves of a sample: sum_constants adds up.
__device__ __forceinline__ void leave(float* parts, Layer const& layer, int sample, int neuron, int constant,
                                      float value) {
    parts[((size_t)constant * layer.samples + sample) * layer.stride + neuron] = value;
}
