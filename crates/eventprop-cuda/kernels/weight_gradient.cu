// From what arrivals leave to gradients. No atomics, and one order of summation.
#include "adjoint.cuh"

// Warps that share the samples of a batch, at most.
#define SUMMERS 16
// Samples that a warp adds up at once: GROUP of `src/sizes.rs`.
#define GROUP (2 * WARP)
// Arrivals whose adjoint is fetched at once.
#define FETCHED 8

// Puts the places of a warp's arrivals together, in the order of lanes: those of lanes whose `place` is not
// NO_EVENT follow the `count` that `list` has.
__device__ __forceinline__ int append(int* list, int count, int place, int lane) {
    unsigned present = __ballot_sync(FULL_WARP, place != NO_EVENT);
    if (place != NO_EVENT) list[count + __popc(present & ((1u << lane) - 1))] = place;
    return count + __popc(present);
}

// The gradient by the weights: the adjoint at every arrival of a source, added up over the samples. With the
// arrivals' derivatives in the place of the adjoint it is the gradient by the delays.
//
// Grid: x sources, y groups of tiles of neurons; threads (WARP, tiles of a group times `shares`): of one source
// and tile, so many warps each add up GROUP samples at a time, then one of them adds those sums in their order.
// Samples first .. first + samples have their `mu`; those of earlier calls are in the gradient already.
extern "C" __global__ void weight_gradient(Layer layer, Control const* control, int first, int samples, int shares) {
    __shared__ __align__(16) int lists[SUMMERS][GROUP + FETCHED];
    // Of one round and the next in turn: one is added up while the other is written.
    __shared__ float sums[2][SUMMERS][WARP];
    // Then there may be no adjoint.
    if (is_faulty(control)) return;
    int source = blockIdx.x, lane = threadIdx.x;
    int share = threadIdx.y % shares;
    int tile = (blockIdx.y * blockDim.y + threadIdx.y) / shares;
    int neuron = tile * WARP + lane;
    bool exists = tile < layer.tiles;
    size_t place = (size_t)source * layer.stride + neuron;
    int const* heads = layer.heads + (size_t)source * layer.samples + first;
    Column mu = Column::of(layer.mu, layer.stride, neuron);
    int* list = lists[threadIdx.y];
    float sum = exists && share == 0 && first > 0 ? layer.gradient[place] : 0.0f;
    int turn = 0;
    for (int base = 0; base < samples; base += shares * GROUP) {
        int own = base + share * GROUP + lane;
        int links[GROUP / WARP];
        for (int i = 0; i < GROUP / WARP; i++) {
            bool given = exists && own + i * WARP < samples;
            links[i] = given ? heads[own + i * WARP] : NO_EVENT;
        }
        // The first arrivals of the source in all samples, then the second, and so on.
        float part = 0.0f;
        for (;;) {
            int count = 0;
            for (int i = 0; i < GROUP / WARP; i++) {
                int row = (own + i * WARP) * layer.width;
                count = append(list, count, links[i] == NO_EVENT ? NO_EVENT : row + (links[i] >> 1), lane);
            }
            if (count == 0) break;
            if (lane < FETCHED) list[count + lane] = NO_EVENT;
            __syncwarp();
            for (int next = 0; next < count; next += FETCHED) {
                float values[FETCHED];
                for (int i = 0; i < FETCHED; i++) values[i] = mu[list[next + i]];
                for (int i = 0; i < FETCHED; i++) part += values[i];
            }
            __syncwarp();
            for (int i = 0; i < GROUP / WARP; i++) {
                bool has_next = links[i] != NO_EVENT && (links[i] & 1);
                size_t row = (size_t)(first + own + i * WARP) * layer.width;
                links[i] = has_next ? layer.links[row + (links[i] >> 1)] : NO_EVENT;
            }
        }
        sums[turn][threadIdx.y][lane] = part;
        __syncthreads();
        int count = min(shares, (samples - base + GROUP - 1) / GROUP);
        for (int other = 0; share == 0 && other < count; other++) sum += sums[turn][threadIdx.y + other][lane];
        turn ^= 1;
    }
    if (exists && share == 0) layer.gradient[place] = sum;
}

// The error of each event from below where synapses have delays: the derivatives of its arrivals at all
// neurons. Every lane adds up its neurons in order, then the lanes are added pairwise.
//
// Grid: x samples from `first` on, y shares of their events; threads (WARP, warps of a share).
extern "C" __global__ void sum_errors(Layer layer, Layer below, Control const* control, int first) {
    if (is_faulty(control)) return;
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
extern "C" __global__ void input_gradient(Layer layer, Control const* control, float* gradient) {
    if (is_faulty(control)) return;
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
