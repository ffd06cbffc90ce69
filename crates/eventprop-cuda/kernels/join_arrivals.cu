// A layer that hears several others: their spikes, a sorted list each, become one list of records.
#include "decay.cuh"

// How many of the list's arrivals come before `time`, or at it.
__device__ __forceinline__ int arrivals_until(List const& list, int sample, float time, bool at_it) {
    float const* times = list.times + (size_t)sample * list.width + 1;
    int low = 0, high = list.counts[sample];
    while (low < high) {
        int middle = (low + high) / 2;
        if (times[middle] < time || (at_it && times[middle] == time)) low = middle + 1; else high = middle;
    }
    return low;
}

// Grid: a block a sample. Of arrivals at one time those of the earlier list are first.
extern "C" __global__ void join_arrivals(Layer layer, List const* lists, int count) {
    int sample = blockIdx.x;
    size_t row = (size_t)sample * layer.width;
    int all = 0;
    for (int l = 0; l < count; l++) {
        List own = lists[l];
        size_t start = (size_t)sample * own.width;
        int events = own.counts[sample];
        all += events;
        for (int e = threadIdx.x; e < events; e += blockDim.x) {
            float time = own.times[start + e + 1];
            int rank = e;
            for (int other = 0; other < count; other++) {
                if (other != l) rank += arrivals_until(lists[other], sample, time, other < l);
            }
            own.ranks[start + e] = rank;
            layer.times[row + rank + 1] = time;
            layer.records[row + rank + 1].source = own.first + own.records[start + e + 1].source;
        }
    }
    if (threadIdx.x == 0) {
        layer.counts[sample] = all;
        layer.times[row] = 0.0f;
        layer.times[row + all + 1] = layer.duration;
        layer.records[row].source = -1;
    }
    __syncthreads();

    for (int r = threadIdx.x; r <= all + 1; r += blockDim.x) {
        float start = layer.times[row + r];
        layer.factors[row + r] = expf(-layer.rate * start);
        if (r > all) break;
        int source = layer.records[row + r].source;
        layer.records[row + r] = record_of(layer.decay, layer.times[row + r + 1] - start, source);
    }
    // Links and heads say 2 e + (whether there is a next): the same with the ranks for the events.
    for (int l = 0; l < count; l++) {
        List own = lists[l];
        size_t start = (size_t)sample * own.width;
        int const* ranks = own.ranks + start;
        int events = own.counts[sample];
        for (int e = threadIdx.x; e < events; e += blockDim.x) {
            int link = own.links[start + e];
            layer.links[row + ranks[e]] = link == NO_EVENT ? NO_EVENT : 2 * ranks[link >> 1] + (link & 1);
        }
        for (int s = threadIdx.x; s < own.sources; s += blockDim.x) {
            int head = own.heads[(size_t)s * layer.samples + sample];
            layer.heads[(size_t)(own.first + s) * layer.samples + sample] =
                head == NO_EVENT ? NO_EVENT : 2 * ranks[head >> 1] + (head & 1);
        }
    }
}

// The errors of an output layer's spikes where other layers hear it: what the loss says of them, to which collect_errors
// adds what the others found.
//
// Grid: a block a sample.
extern "C" __global__ void loss_errors(Layer layer, Layer list, int every_spike, Control const* control) {
    // Then spikes may have no place in the list.
    if (is_faulty(control)) return;
    int sample = blockIdx.x;
    float* errors = list.errors + (size_t)sample * list.width;
    for (int n = threadIdx.x; n < layer.targets; n += blockDim.x) {
        size_t place = (size_t)sample * layer.stride + n;
        size_t slots = (size_t)sample * layer.slots * layer.stride + n;
        int count = layer.spike_counts[place];
        for (int k = 0; k < count; k++) {
            bool counts = k == 0 || every_spike;
            int rank = layer.spike_ranks[slots + (size_t)k * layer.stride];
            errors[rank] = counts ? layer.derivatives[place] : 0.0f;
        }
    }
}

// The errors of a layer's spikes where several layers hear it, or one that hears others too: those that
// `target` found, tile by tile, are put into `list`, or `adds` to what is there. `ranks` are the spikes' places among
// what the target hears; none where it hears nothing else.
//
// Grid: a block a sample.
extern "C" __global__ void collect_errors(Layer list, Layer target, int const* ranks, int adds,
                                          Control const* control) {
    // Then nobody found errors.
    if (is_faulty(control)) return;
    int sample = blockIdx.x;
    int events = list.counts[sample];
    size_t start = (size_t)sample * list.width;
    for (int e = threadIdx.x; e < events; e += blockDim.x) {
        size_t place = (size_t)sample * target.width + (ranks ? ranks[start + e] : e);
        float const* parts = target.errors + place * target.tiles;
        float sum = adds ? list.errors[start + e] : 0.0f;
        for (int tile = 0; tile < target.tiles; tile++) sum += parts[tile];
        list.errors[start + e] = sum;
    }
}
