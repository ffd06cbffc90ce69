// What a loss on voltages does to the adjoint of a neuron that others of its layer hear: lambda is the sum of this, known
// for any time, and of what the walk carries back.
#pragma once
#include "adjoint.cuh"

// The loss looks at what `kind` says of the voltages of one of the layers: the others have no derivatives. Of a highest voltage
// recurrent_voltage.cu says where it is: `peaks` is the start of its interval, `peak_elapsed` the time from there (-1 if it
// never rises), `peak_currents` the slope at which it moves with event `peak_intervals`, if there is one.
struct DrivenByVoltage {
    static __device__ __forceinline__ size_t place(Layer const& layer, int sample, int neuron) {
        return (size_t)sample * layer.stride + neuron;
    }
    static __device__ __forceinline__ Decay const& decay_of(Layer const& layer, int neuron) {
        return layer.decays ? layer.decays[neuron] : layer.decay;
    }
    static __device__ __forceinline__ float derivative(Layer const& layer, int sample, int neuron) {
        return neuron < layer.targets ? layer.derivatives[place(layer, sample, neuron)] : 0.0f;
    }
    // The derivative by the highest voltage of a silent neuron. That of others is their threshold.
    static __device__ __forceinline__ float by_peak(Layer const& layer, int sample, int neuron, int kind) {
        if (kind != READOUT_MAXIMUM || layer.spike_counts[place(layer, sample, neuron)] > 0) return 0.0f;
        return derivative(layer, sample, neuron);
    }

    // On a mean, whose weight of the time is exp(-rate t): see li_backward.cu.
    static __device__ __forceinline__ Mu of_mean(Layer const& layer, int neuron, float derivative, float weighting) {
        Decay const& decay = decay_of(layer, neuron);
        float voltage = derivative * decay.tau_syn / layer.duration / fmaf(decay.tau_mem, layer.rate, 1.0f) * weighting;
        return {voltage, voltage / fmaf(decay.tau_syn, layer.rate, 1.0f)};
    }

    // What the walk carries back from the end.
    static __device__ __forceinline__ Mu start(Layer const& layer, int sample, int neuron, int kind) {
        if (kind == READOUT_MAXIMUM) return {0.0f, 0.0f};
        return of_mean(layer, neuron, derivative(layer, sample, neuron), -expf(-layer.rate * layer.duration));
    }

    static __device__ __forceinline__ Mu at(Layer const& layer, int sample, int neuron, int kind, float time) {
        if (kind != READOUT_MAXIMUM) {
            return of_mean(layer, neuron, derivative(layer, sample, neuron), expf(-layer.rate * time));
        }
        float by = by_peak(layer, sample, neuron, kind);
        if (by == 0.0f) return {0.0f, 0.0f};
        size_t own = place(layer, sample, neuron);
        float start = layer.peaks[own], elapsed = layer.peak_elapsed[own];
        if (elapsed < 0.0f || time > start) return {0.0f, 0.0f};
        Decay const& decay = decay_of(layer, neuron);
        Interval to = interval_of(decay, start - time + elapsed);
        float jump = by / decay.ratio;
        return {jump * to.mem, jump * to.drive * decay.ratio};
    }

    // By the time of the arrival with which the highest voltage moves.
    static __device__ __forceinline__ float moved(Layer const& layer, int sample, int neuron, int kind, int event) {
        float by = by_peak(layer, sample, neuron, kind);
        if (by == 0.0f) return 0.0f;
        size_t own = place(layer, sample, neuron);
        return layer.peak_intervals[own] == event ? by * layer.peak_currents[own] : 0.0f;
    }

    // The loss's derivative by the time of spike number `k`, and what else acts there: see lif_voltage.cu.
    static __device__ __forceinline__ float error(Layer const& layer, int sample, int neuron, int kind, int k,
                                                  float time) {
        if (kind == READOUT_MAXIMUM) {
            size_t slot = ((size_t)sample * layer.slots + k) * layer.stride + neuron;
            return impulse(layer, sample, neuron, kind, k) * layer.spike_slopes[slot];
        }
        float height = layer.threshold[neuron] - layer.reset;
        return derivative(layer, sample, neuron) / layer.duration * expf(-layer.rate * time) * height;
    }
    static __device__ __forceinline__ float impulse(Layer const& layer, int sample, int neuron, int kind, int k) {
        bool acts = kind == READOUT_MAXIMUM && k == 0;
        return acts ? derivative(layer, sample, neuron) / decay_of(layer, neuron).tau_mem : 0.0f;
    }
};
