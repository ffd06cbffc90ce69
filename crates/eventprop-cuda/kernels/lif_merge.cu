// From the spikes of a layer, neuron by neuron, to the records of the layer above, in order of time.
#include "decay.cuh"

#define MERGE_THREADS 256
// Equal spans of time into which spikes are put before they are compared: one a thread.
#define SPANS MERGE_THREADS

// The sum of `value` over the threads before this one; `total` over all. `sums` is room for a sum a warp.
__device__ __forceinline__ int exclusive_sum(int value, int* sums, int& total) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    int upto = value;
    for (int reach = 1; reach < WARP; reach *= 2) {
        int below = __shfl_up_sync(FULL_WARP, upto, reach);
        if (lane >= reach) upto += below;
    }
    if (lane == WARP - 1) sums[warp] = upto;
    __syncthreads();
    int before = upto - value;
    total = 0;
    for (int w = 0; w < MERGE_THREADS / WARP; w++) {
        if (w < warp) before += sums[w];
        total += sums[w];
    }
    __syncthreads();
    return before;
}

__device__ __forceinline__ int span_of(float time, float per_time) {
    return min((int)(time * per_time), SPANS - 1);
}

// Grid: a block of MERGE_THREADS a sample. `list_times` and `list_places` are scratch of
// [sample][above.width].
extern "C" __global__ void lif_merge(Layer layer, Layer above, Control* control, float* list_times,
                                     int* list_places) {
    __shared__ int sums[MERGE_THREADS / WARP];
    // The first spike of each span in `members`, then the first that is not yet there.
    __shared__ int firsts[SPANS], ends[SPANS];
    int sample = blockIdx.x;
    size_t row = (size_t)sample * above.width;
    float* times = list_times + row;
    int* places = list_places + row;
    int const* counts = layer.spike_counts + (size_t)sample * layer.stride;
    size_t slots = (size_t)sample * layer.slots * layer.stride;

    // The spikes as one list, neuron after neuron.
    int room = above.width - 2;
    int count = 0;
    for (int base = 0; base < layer.stride; base += MERGE_THREADS) {
        int neuron = base + threadIdx.x;
        int own = neuron < layer.targets ? counts[neuron] : 0;
        int total;
        int first = count + exclusive_sum(own, sums, total);
        for (int k = 0; k < own && first + k < room; k++) {
            times[first + k] = layer.spike_times[slots + (size_t)k * layer.stride + neuron];
            places[first + k] = k * layer.stride + neuron;
        }
        count += total;
    }
    if (count > room) {
        if (threadIdx.x == 0) {
            atomicMax(&layer.needed[1], count);
            atomicMax(&control->faults.capacity, 1);
        }
        count = 0;
    }
    if (threadIdx.x == 0) above.counts[sample] = count;
    for (int s = threadIdx.x; s < layer.targets; s += MERGE_THREADS) {
        above.heads[(size_t)s * above.samples + sample] = NO_EVENT;
    }
    ends[threadIdx.x] = 0;
    __syncthreads();

    // The spikes by spans, in no order within a span. Links are made at the end, their memory is free until then.
    int* members = above.links + row;
    float per_time = SPANS / layer.duration;
    for (int own = threadIdx.x; own < count; own += MERGE_THREADS) {
        atomicAdd(&ends[span_of(times[own], per_time)], 1);
    }
    __syncthreads();
    int all;
    int first = exclusive_sum(ends[threadIdx.x], sums, all);
    firsts[threadIdx.x] = ends[threadIdx.x] = first;
    __syncthreads();
    for (int own = threadIdx.x; own < count; own += MERGE_THREADS) {
        members[atomicAdd(&ends[span_of(times[own], per_time)], 1)] = own;
    }
    __syncthreads();
    // A spike's rank is the number of spikes before it; of two at one time the lower neuron's is first.
    for (int own = threadIdx.x; own < count; own += MERGE_THREADS) {
        float time = times[own];
        int span = span_of(time, per_time);
        int rank = firsts[span];
        for (int i = firsts[span]; i < ends[span]; i++) {
            int other = members[i];
            rank += times[other] < time || (times[other] == time && other < own);
        }
        int place = places[own];
        above.times[row + rank + 1] = time;
        above.records[row + rank + 1].source = place % layer.stride;
        layer.spike_ranks[slots + place] = rank;
    }
    if (threadIdx.x == 0) {
        above.times[row] = 0.0f;
        above.times[row + count + 1] = above.duration;
        above.records[row].source = -1;
    }
    __syncthreads();

    for (int r = threadIdx.x; r <= count + 1; r += MERGE_THREADS) {
        float start = above.times[row + r];
        above.factors[row + r] = expf(-above.rate * start);
        if (r > count) break;
        int source = above.records[row + r].source;
        above.records[row + r] = record_of(above.decay, above.times[row + r + 1] - start, source);
    }
    // Each spike's link to its neuron's next.
    for (int own = threadIdx.x; own < count; own += MERGE_THREADS) {
        int place = places[own];
        int slot = place / layer.stride, neuron = place % layer.stride;
        int last = counts[neuron] - 1;
        int rank = layer.spike_ranks[slots + place];
        int next = slot < last ? layer.spike_ranks[slots + place + layer.stride] : 0;
        above.links[row + rank] = slot < last ? 2 * next + (slot + 1 < last) : NO_EVENT;
        if (slot == 0) above.heads[(size_t)neuron * above.samples + sample] = 2 * rank + (last > 0);
    }
}
