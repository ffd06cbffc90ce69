// From what arrivals leave to gradients. No atomics, and one order of summation.
#include "adjoint.cuh"

// Rows of threads of a block, at most.
#define SUMMERS 16
// Values that a warp fetches at once.
#define FETCHED 4

// Adds a tile's column of adjoints at the first arrivals `present` of the lanes' samples, whose places are
// `event`, in the order of lanes.
__device__ __forceinline__ float add_present(float sum, float const* mu, int stride, unsigned present, int event) {
    while (present) {
        float values[FETCHED];
        for (int i = 0; i < FETCHED; i++) {
            bool any = present != 0;
            int other = __shfl_sync(FULL_WARP, event, any ? __ffs(present) - 1 : 0);
            values[i] = any ? mu[(size_t)other * stride] : 0.0f;
            present &= present - 1;
        }
        for (int i = 0; i < FETCHED; i++) sum += values[i];
    }
    return sum;
}

// The gradient by the weights: the adjoint at every arrival of a source, added up over the samples. With the
// arrivals' derivatives in the place of the adjoint it is the gradient by the delays.
//
// Grid: x sources, y groups of tiles of neurons; threads (WARP, tiles of a group times `shares`): of one source
// and tile, so many warps each add up WARP samples at a time, then one of them adds those sums in their order.
// Samples first .. first + samples have their `mu`; those of earlier calls are in the gradient already.
extern "C" __global__ void weight_gradient(Layer layer, int first, int samples, int shares) {
    // Of one round and the next in turn: one is added up while the other is written.
    __shared__ float sums[2][SUMMERS][WARP];
    int source = blockIdx.x;
    int share = threadIdx.y % shares;
    int tile = (blockIdx.y * blockDim.y + threadIdx.y) / shares;
    int neuron = tile * WARP + threadIdx.x;
    bool exists = tile < layer.tiles;
    size_t place = (size_t)source * layer.stride + neuron;
    int const* heads = layer.heads + (size_t)source * layer.samples + first;
    float const* mu = layer.mu + neuron;
    float sum = exists && share == 0 && first > 0 ? layer.gradient[place] : 0.0f;
    int turn = 0;
    for (int base = 0; base < samples; base += shares * WARP) {
        int own = base + share * WARP + (int)threadIdx.x;
        int head = exists && own < samples ? heads[own] : NO_EVENT;
        int row = (first + own) % layer.chunk * layer.width;
        int const* links = layer.links + (size_t)(first + own) * layer.width;
        float part = 0.0f;
        // The first arrivals of the source in all samples, then the second, and so on.
        while (unsigned present = __ballot_sync(FULL_WARP, head != NO_EVENT)) {
            int event = head >> 1;
            part = add_present(part, mu, layer.stride, present, row + event);
            bool has_next = head != NO_EVENT && (head & 1);
            head = has_next ? links[event] : NO_EVENT;
        }
        sums[turn][threadIdx.y][threadIdx.x] = part;
        __syncthreads();
        int count = min(shares, (samples - base + WARP - 1) / WARP);
        for (int other = 0; share == 0 && other < count; other++) {
            sum += sums[turn][threadIdx.y + other][threadIdx.x];
        }
        turn ^= 1;
    }
    if (exists && share == 0) layer.gradient[place] = sum;
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
