// With a delay at each synapse every neuron hears the events of a sample in an order of its own.
#include "arrivals.cuh"

// Neurons of a block: their keys lie side by side in one sector of memory.
#define SORT_NEURONS 4
// Events of a sample that are sorted in shared memory.
#define SORT_SHARED 512

// The keys of one neuron, every `step`-th.
struct Keys {
    unsigned long long* first;
    size_t step;

    __device__ __forceinline__ unsigned long long& at(int i) const { return first[(size_t)i * step]; }
};

// How many of `count` sorted keys from `start` on are less than `key`.
__device__ __forceinline__ int rank_of(unsigned long long key, Keys const& keys, int start, int count) {
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (keys.at(start + middle) < key) low = middle + 1; else high = middle;
    }
    return low;
}

// Sorts the neuron's keys, which are put into `from` first, and returns where they end up. Runs of
// `length` are merged two by two: a key's place is its place in its own run plus its rank in the other.
__device__ __forceinline__ Keys sort(Layer const& layer, float const* times, Record const* senders,
                                     float const* delays, int count, Keys from, Keys to) {
    int own = threadIdx.x / SORT_NEURONS, threads = blockDim.x / SORT_NEURONS;
    for (int e = own; e < count; e += threads) {
        // + 0 makes -0 a 0, whose bits are the least.
        float time = times[e] + delays[(size_t)senders[e].source * layer.stride] + 0.0f;
        unsigned long long arrives = (unsigned long long)__float_as_uint(time) << 32;
        from.at(e) = (time <= layer.duration ? arrives : TOO_LATE) | (unsigned)e;
    }
    for (int length = 1; length < count; length *= 2) {
        __syncthreads();
        for (int i = own; i < count; i += threads) {
            unsigned long long key = from.at(i);
            int other = (i & -length) ^ length;
            int rank = rank_of(key, from, other, min(length, count - other));
            to.at((i & ~length) + rank) = key;
        }
        Keys sorted = to;
        to = from;
        from = sorted;
    }
    __syncthreads();
    return from;
}

// Grid: x samples from `first` on, y groups of SORT_NEURONS neurons, any number of threads for each. `scratch`
// is of the shape of `heard`, for the samples of a chunk.
extern "C" __global__ void sort_arrivals(Layer layer, unsigned long long* scratch, int first) {
    __shared__ unsigned long long shared[2][SORT_SHARED * SORT_NEURONS];
    int column = threadIdx.x % SORT_NEURONS, own = threadIdx.x / SORT_NEURONS;
    int neuron = blockIdx.y * SORT_NEURONS + column;
    int sample = first + blockIdx.x;
    int count = layer.counts[sample];
    size_t row = (size_t)sample * layer.width;
    float const* times = layer.times + row + 1;
    Record const* senders = layer.records + row + 1;
    float const* delays = layer.delays + neuron;
    Keys heard = {layer.heard + row * layer.stride + neuron, (size_t)layer.stride};
    Keys sorted;
    if (count <= SORT_SHARED) {
        Keys from = {shared[0] + column, SORT_NEURONS}, to = {shared[1] + column, SORT_NEURONS};
        sorted = sort(layer, times, senders, delays, count, from, to);
    } else {
        size_t place = (size_t)blockIdx.x * layer.width * layer.stride + neuron;
        sorted = sort(layer, times, senders, delays, count, heard, {scratch + place, (size_t)layer.stride});
    }
    if (sorted.first != heard.first) {
        for (int i = own; i < count; i += blockDim.x / SORT_NEURONS) heard.at(i) = sorted.at(i);
    }
    if (own == 0) {
        layer.heard_counts[(size_t)sample * layer.stride + neuron] = rank_of(TOO_LATE, sorted, 0, count);
    }
}
