// The loss of one sample, by a warp: from the measurements of its outputs to its value, its derivatives and the class
// that it names (see lif_core::loss).
#pragma once
#include "warp.cuh"

// The class that a sample's outputs name (see lif_core::loss::Readout::predict); -1 for none. Of equals it is the
// first. A first spike at `silent` is none.
__device__ __forceinline__ int predicted(float const* outputs, int targets, float silent, int kind) {
    bool earliest = kind == READOUT_FIRST_SPIKE || kind == READOUT_SPIKE_TIME_SUM;
    float infinity = __int_as_float(0x7f800000);
    float best = -infinity;
    if (kind == READOUT_FIRST_SPIKE) best = silent;
    if (kind == READOUT_SPIKE_TIME_SUM) best = infinity;
    if (kind == READOUT_MAXIMUM) best = 0.0f;
    int found = -1;
    for (int n = threadIdx.x; n < targets; n += WARP) {
        if (earliest ? outputs[n] < best : outputs[n] > best) {
            best = outputs[n];
            found = n;
        }
    }
    for (int reach = WARP / 2; reach > 0; reach /= 2) {
        float other = __shfl_xor_sync(FULL_WARP, best, reach);
        int named = __shfl_xor_sync(FULL_WARP, found, reach);
        bool is_better = earliest ? other < best : other > best;
        if (named >= 0 && (found < 0 || is_better || (other == best && named < found))) {
            best = other;
            found = named;
        }
    }
    return found;
}

// The loss by `targets` measurements z of a sample with this label. Its derivatives are parts of a mean of which the sample
// has `share`. A first spike at `silent` is none.
__device__ __forceinline__ float loss_of(Loss const& loss, float const* z, float* gradient, int targets, int label,
                                         float share, float silent) {
    int lane = threadIdx.x;
    if (loss.kind == READOUT_SPIKE_TIME_SUM) {
        float value = 0.0f;
        for (int n = lane; n < targets; n += WARP) {
            gradient[n] = share;
            value += z[n];
        }
        return warp_sum(value);
    }
    bool by_times = loss.kind == READOUT_FIRST_SPIKE;
    float scale = by_times ? -1.0f / loss.tau : 1.0f;
    float highest = -__int_as_float(0x7f800000), sum = 0.0f;
    for (int n = lane; n < targets; n += WARP) highest = fmaxf(highest, scale * z[n]);
    highest = warp_max(highest);
    for (int n = lane; n < targets; n += WARP) sum += expf(scale * z[n] - highest);
    sum = warp_sum(sum);
    // 0 times an infinite exp would be no number.
    float late = by_times && loss.alpha != 0.0f ? expf(z[label] / loss.tau_early) : 0.0f;
    bool is_skipped = by_times && loss.skips_silent_label && z[label] >= silent;
    for (int n = lane; n < targets; n += WARP) {
        float softmax = expf(scale * z[n] - highest) / sum;
        float slope = scale * share * (softmax - (n == label ? 1.0f : 0.0f));
        if (by_times && n == label) slope += share * loss.alpha / loss.tau_early * late;
        gradient[n] = is_skipped ? 0.0f : slope;
    }
    float value = highest + logf(sum) - scale * z[label];
    return by_times ? value + loss.alpha * (late - 1.0f) : value;
}

// Writes what was found in a sample of the batch. By one thread.
__device__ __forceinline__ void tell_loss(Control* control, int sample, float value, int predicted, float* losses,
                                          int* predictions) {
    predictions[sample] = predicted;
    losses[sample] = value;
    // False for NaN too.
    if (!(fabsf(value) < __int_as_float(0x7f800000))) {
        atomicMin(&control->faults.loss_not_finite, (unsigned long long)sample);
    }
}
