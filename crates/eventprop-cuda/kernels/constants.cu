// Constants of neurons: from the parameters to what walks are given, and the gradient by them.
#include "adjoint.cuh"

// Warps that share the samples of a sum.
#define ADDERS 16

// Adds up what the neurons left, over samples and, for a constant that all share, over neurons. One order of summation.
//
// Grid: x CONSTANTS, y tiles of neurons; threads (WARP, ADDERS).
extern "C" __global__ void sum_constants(Layer layer, Control const* control, Constants constants,
                                         float const* parts) {
    __shared__ float sums[ADDERS][WARP];
    if (is_faulty(control)) return;
    Constant const& constant = constants.of[blockIdx.x];
    if (constant.values == nullptr || (constant.is_common && blockIdx.y > 0)) return;
    int lane = threadIdx.x, share = threadIdx.y;
    int first = blockIdx.y * WARP + lane;
    int end = constant.is_common ? layer.targets : min(layer.targets, ((int)blockIdx.y + 1) * WARP);
    float sum = 0.0f;
    for (int neuron = first; neuron < end; neuron += WARP) {
        for (int sample = share; sample < layer.samples; sample += ADDERS) {
            sum += parts[((size_t)blockIdx.x * layer.samples + sample) * layer.stride + neuron];
        }
    }
    sums[share][lane] = sum;
    __syncthreads();
    if (share > 0) return;
    for (int other = 1; other < ADDERS; other++) sum += sums[other][lane];
    if (constant.is_common) sum = warp_sum(sum);
    if (constant.is_common ? lane == 0 : first < end) constant.gradient[first] = sum;
}

// Makes of the constants, where they are learned, what the walks are given: a value for each neuron, and of padding
// that it never spikes. Grid: a thread a neuron, padding included.
extern "C" __global__ void spread_constants(Constants constants, Decay* decays, float* threshold, float* bias,
                                            int targets, int stride) {
    int neuron = blockIdx.x * blockDim.x + threadIdx.x;
    if (neuron >= stride) return;
    bool exists = neuron < targets;
    auto value = [&](int which) {
        Constant const& constant = constants.of[which];
        return constant.values[constant.is_common || !exists ? 0 : neuron];
    };
    decays[neuron] = decay_with(value(TAU_MEM), value(TAU_SYN));
    bool spikes = exists && constants.of[THRESHOLD].values != nullptr;
    threshold[neuron] = spikes ? value(THRESHOLD) : __int_as_float(0x7f800000);
    bias[neuron] = exists ? value(BIAS) : 0.0f;
}
