// From what arrivals leave to gradients. No atomics, and one order of summation.
#include "adjoint.cuh"

// The gradient by the weights: a warp owns one source and one tile of neurons and adds up the adjoint
// at every arrival of the source, sample by sample. With the arrivals' derivatives in the place of the
// adjoint it is the gradient by the delays.
//
// Grid: x sources, y groups of blockDim.y tiles; threads (WARP, tiles). Samples first .. first + samples
// have their `mu`; those of earlier calls are in the gradient already.
extern "C" __global__ void weight_gradient(Layer layer, int first, int samples) {
    int source = blockIdx.x;
    int neuron = (blockIdx.y * blockDim.y + threadIdx.y) * WARP + threadIdx.x;
    if (neuron >= layer.stride) return;
    size_t place = (size_t)source * layer.stride + neuron;
    int const* heads = layer.heads + (size_t)source * layer.samples + first;
    float sum = first == 0 ? 0.0f : layer.gradient[place];
    for (int base = 0; base < samples; base += WARP) {
        int own = base + (int)threadIdx.x;
        int head = own < samples ? heads[own] : NO_EVENT;
        unsigned present = __ballot_sync(FULL_WARP, head != NO_EVENT);
        while (present) {
            int other = __ffs(present) - 1;
            present &= present - 1;
            int link = __shfl_sync(FULL_WARP, head, other);
            size_t row = (size_t)((first + base + other) % layer.chunk) * layer.width;
            int const* links = layer.links + (size_t)(first + base + other) * layer.width;
            for (;;) {
                int event = link >> 1;
                sum += layer.mu[(row + event) * layer.stride + neuron];
                if (!(link & 1)) break;
                link = links[event];
            }
        }
    }
    layer.gradient[place] = sum;
}

// The error of each event from below where synapses have delays: the derivatives of its arrivals at all
// neurons. Every lane adds up its neurons in order, then the lanes are added pairwise.
//
// Grid: x samples from `first` on, y shares of their events; threads (WARP, warps of a share).
extern "C" __global__ void sum_errors(Layer layer, Layer below, int first) {
    int sample = first + blockIdx.x;
    int count = below.counts[sample];
    int first_event = blockIdx.y * blockDim.y + threadIdx.y;
    for (int event = first_event; event < count; event += gridDim.y * blockDim.y) {
        size_t row = (size_t)(sample % layer.chunk) * layer.width + event;
        float const* by_time = layer.by_time + row * layer.stride;
        float sum = 0.0f;
        for (int n = threadIdx.x; n < layer.stride; n += WARP) sum += by_time[n];
        sum = warp_sum(sum);
        if (threadIdx.x == 0) below.errors[(size_t)sample * below.width + event] = sum;
    }
}

// The derivative of the loss by the time of each arrival at the first layer: its tiles in order.
extern "C" __global__ void input_gradient(Layer layer, float* gradient) {
    int sample = blockIdx.x;
    int count = layer.counts[sample];
    size_t row = (size_t)sample * layer.width;
    for (int e = threadIdx.x; e < layer.width; e += blockDim.x) {
        float sum = 0.0f;
        if (e < count) {
            float const* parts = layer.errors + (row + e) * layer.tiles;
            for (int tile = 0; tile < layer.tiles; tile++) sum += parts[tile];
        }
        gradient[row + e] = sum;
    }
}
