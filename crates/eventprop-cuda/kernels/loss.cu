// From measurements of the output layer to losses and their derivatives (see lif_core::loss).
#include "loss.cuh"

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

// Grid: a warp a sample, threads (WARP, samples).
extern "C" __global__ void predict(Layer layer, int kind, int* predictions) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    if (sample >= layer.samples) return;
    measure(layer, sample, kind);
    float const* outputs = layer.outputs + (size_t)sample * layer.stride;
    int found = predicted(outputs, layer.targets, layer.duration, kind);
    if (threadIdx.x == 0) predictions[sample] = found;
}

// The loss of each sample, its derivatives as parts of the batch's mean loss, and its prediction. Grid: as predict.
extern "C" __global__ void evaluate_loss(Layer layer, Loss loss, Control* control, Step const* steps,
                                         int const* order, int const* labels, float* losses, int* predictions) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    if (sample >= layer.samples) return;
    measure(layer, sample, loss.kind);
    size_t row = (size_t)sample * layer.stride;
    float const* z = layer.outputs + row;
    int label = labels[order[steps[control->cursor].first + sample]];
    float share = 1.0f / (float)layer.samples;
    // Silent outputs count as spiking at the end.
    float value = loss_of(loss, z, layer.derivatives + row, layer.targets, label, share, layer.duration);
    int found = predicted(z, layer.targets, layer.duration, loss.kind);
    if (threadIdx.x == 0) tell_loss(control, sample, value, found, losses, predictions);
}
