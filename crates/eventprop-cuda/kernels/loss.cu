// From measurements of the output layer to losses and their derivatives (see lif_core::loss).
#include "types.cuh"

// The measurements of a spiking output layer. Grid: as lif_forward.
extern "C" __global__ void spike_outputs(Layer layer, int kind) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    size_t place = (size_t)sample * layer.stride + neuron;
    float const* times = layer.spike_times + (size_t)sample * layer.slots * layer.stride + neuron;
    int count = layer.spike_counts[place];
    float value = kind == READOUT_FIRST_SPIKE ? (count > 0 ? times[0] : layer.duration) : 0.0f;
    if (kind == READOUT_SPIKE_TIME_SUM) {
        for (int k = 0; k < count; k++) value += times[(size_t)k * layer.stride];
    }
    layer.outputs[place] = value;
}

// The class that the outputs name (see lif_core::loss::Readout::predict); -1 for none.
extern "C" __global__ void predict(Layer layer, int kind, int* predictions) {
    int sample = blockIdx.x * blockDim.x + threadIdx.x;
    if (sample >= layer.samples) return;
    float const* outputs = layer.outputs + (size_t)sample * layer.stride;
    bool earliest = kind == READOUT_FIRST_SPIKE || kind == READOUT_SPIKE_TIME_SUM;
    float infinity = __int_as_float(0x7f800000);
    float best = -infinity;
    if (kind == READOUT_FIRST_SPIKE) best = layer.duration;
    if (kind == READOUT_SPIKE_TIME_SUM) best = infinity;
    if (kind == READOUT_MAXIMUM) best = 0.0f;
    int found = -1;
    for (int n = 0; n < layer.targets; n++) {
        if (earliest ? outputs[n] < best : outputs[n] > best) {
            best = outputs[n];
            found = n;
        }
    }
    predictions[sample] = found;
}

// A thread a sample: derivatives are parts of the batch's mean loss.
extern "C" __global__ void evaluate_loss(Layer layer, Loss loss, Control* control, Step const* steps,
                                         int const* order, int const* labels, float* losses) {
    int sample = blockIdx.x * blockDim.x + threadIdx.x;
    if (sample >= layer.samples) return;
    size_t row = (size_t)sample * layer.stride;
    float const* z = layer.outputs + row;
    float* gradient = layer.derivatives + row;
    int label = labels[order[steps[control->cursor].first + sample]];
    float share = 1.0f / (float)layer.samples;
    float value = 0.0f;
    if (loss.kind == READOUT_SPIKE_TIME_SUM) {
        for (int n = 0; n < layer.targets; n++) {
            gradient[n] = share;
            value += z[n];
        }
    } else {
        float scale = loss.kind == READOUT_FIRST_SPIKE ? -1.0f / loss.tau : 1.0f;
        float highest = scale * z[0], sum = 0.0f;
        for (int n = 1; n < layer.targets; n++) highest = fmaxf(highest, scale * z[n]);
        for (int n = 0; n < layer.targets; n++) sum += expf(scale * z[n] - highest);
        for (int n = 0; n < layer.targets; n++) {
            float softmax = expf(scale * z[n] - highest) / sum;
            gradient[n] = scale * share * (softmax - (n == label ? 1.0f : 0.0f));
        }
        value = highest + logf(sum) - scale * z[label];
        if (loss.kind == READOUT_FIRST_SPIKE) {
            float late = expf(z[label] / loss.tau_early);
            gradient[label] += share * loss.alpha / loss.tau_early * late;
            value += loss.alpha * (late - 1.0f);
            // Silent outputs count as spiking at the end.
            if (loss.skips_silent_label && z[label] >= layer.duration) {
                for (int n = 0; n < layer.targets; n++) gradient[n] = 0.0f;
            }
        }
    }
    losses[sample] = value;
    // False for NaN too.
    if (!(fabsf(value) < __int_as_float(0x7f800000))) {
        atomicMin(&control->faults.loss_not_finite, (unsigned long long)sample);
    }
}
