// From measurements of the output layer to losses and their derivatives (see lif_core::loss).
#include "warp.cuh"

// Measures a sample of a spiking output layer; voltages were measured as neurons walked.
__device__ __forceinline__ void measure(Layer const& layer, int sample, int kind) {
    if (kind != READOUT_FIRST_SPIKE && kind != READOUT_SPIKE_TIME_SUM) return;
    for (int n = threadIdx.x; n < layer.targets; n += WARP) {
        size_t place = (size_t)sample * layer.stride + n;
        float const* times = layer.spike_times + (size_t)sample * layer.slots * layer.stride + n;
        int count = layer.spike_counts[place];
        float value = kind == READOUT_FIRST_SPIKE ? (count > 0 ? times[0] : layer.duration) : 0.0f;
        if (kind == READOUT_SPIKE_TIME_SUM) {
            for (int k = 0; k < count; k++) value += times[(size_t)k * layer.stride];
        }
        layer.outputs[place] = value;
    }
    __syncwarp();
}

// The class that a sample's outputs name (see lif_core::loss::Readout::predict); -1 for none. Of equals it is the
// first.
__device__ __forceinline__ int predicted(Layer const& layer, float const* outputs, int kind) {
    bool earliest = kind == READOUT_FIRST_SPIKE || kind == READOUT_SPIKE_TIME_SUM;
    float infinity = __int_as_float(0x7f800000);
    float best = -infinity;
    if (kind == READOUT_FIRST_SPIKE) best = layer.duration;
    if (kind == READOUT_SPIKE_TIME_SUM) best = infinity;
    if (kind == READOUT_MAXIMUM) best = 0.0f;
    int found = -1;
    for (int n = threadIdx.x; n < layer.targets; n += WARP) {
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

// Grid: a warp a sample, threads (WARP, samples).
extern "C" __global__ void predict(Layer layer, int kind, int* predictions) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    if (sample >= layer.samples) return;
    measure(layer, sample, kind);
    int found = predicted(layer, layer.outputs + (size_t)sample * layer.stride, kind);
    if (threadIdx.x == 0) predictions[sample] = found;
}

// The loss of each sample, its derivatives as parts of the batch's mean loss, and its prediction. Grid: as predict.
extern "C" __global__ void evaluate_loss(Layer layer, Loss loss, Control* control, Step const* steps,
                                         int const* order, int const* labels, float* losses, int* predictions) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    if (sample >= layer.samples) return;
    measure(layer, sample, loss.kind);
    int lane = threadIdx.x;
    size_t row = (size_t)sample * layer.stride;
    float const* z = layer.outputs + row;
    float* gradient = layer.derivatives + row;
    int label = labels[order[steps[control->cursor].first + sample]];
    float share = 1.0f / (float)layer.samples;
    float value = 0.0f;
    if (loss.kind == READOUT_SPIKE_TIME_SUM) {
        for (int n = lane; n < layer.targets; n += WARP) {
            gradient[n] = share;
            value += z[n];
        }
        value = warp_sum(value);
    } else {
        bool by_times = loss.kind == READOUT_FIRST_SPIKE;
        float scale = by_times ? -1.0f / loss.tau : 1.0f;
        float highest = -__int_as_float(0x7f800000), sum = 0.0f;
        for (int n = lane; n < layer.targets; n += WARP) highest = fmaxf(highest, scale * z[n]);
        highest = warp_max(highest);
        for (int n = lane; n < layer.targets; n += WARP) sum += expf(scale * z[n] - highest);
        sum = warp_sum(sum);
        float late = by_times ? expf(z[label] / loss.tau_early) : 0.0f;
        // Silent outputs count as spiking at the end.
        bool is_skipped = by_times && loss.skips_silent_label && z[label] >= layer.duration;
        for (int n = lane; n < layer.targets; n += WARP) {
            float softmax = expf(scale * z[n] - highest) / sum;
            float slope = scale * share * (softmax - (n == label ? 1.0f : 0.0f));
            if (by_times && n == label) slope += share * loss.alpha / loss.tau_early * late;
            gradient[n] = is_skipped ? 0.0f : slope;
        }
        value = highest + logf(sum) - scale * z[label];
        if (by_times) value += loss.alpha * (late - 1.0f);
    }
    int found = predicted(layer, z, loss.kind);
    if (lane > 0) return;
    predictions[sample] = found;
    losses[sample] = value;
    // False for NaN too.
    if (!(fabsf(value) < __int_as_float(0x7f800000))) {
        atomicMin(&control->faults.loss_not_finite, (unsigned long long)sample);
    }
}
