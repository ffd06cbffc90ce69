// Walks along what arrives, forwards and back: the record at hand and the weight of its arrival, fetched before they
// are needed. A warp of few others must not wait for memory at every arrival.
#pragma once
#include "arrivals.cuh"

// Warps of a block that walks, at most.
#define WALKERS 4
// How many arrivals ahead weights are fetched.
#define AHEAD 4

// Records of each warp's sample: WARP of them around the one at hand and WARP on the way.
#define RING (2 * WARP)
typedef Record Rings[WALKERS][RING];

// Where in the ring record `r` lies.
__device__ __forceinline__ int slot(int r) { return r & (RING - 1); }

// The warp's number in its block.
__device__ __forceinline__ int walker() { return threadIdx.y * (blockDim.x / WARP) + threadIdx.x / WARP; }

// A column of weights: a row a source. In bytes, that an address is one multiplication.
struct Column {
    char const* first;
    int row;

    static __device__ __forceinline__ Column of(Layer const& layer, int neuron) {
        return {(char const*)(layer.weights + neuron), layer.stride * (int)sizeof(float)};
    }

    __device__ __forceinline__ float operator[](int source) const {
        return *(float const*)(first + (long long)source * row);
    }
};

// From record 0 to the last. Neurons with delays have each their own way; theirs are not fetched ahead.
template <class Arrivals>
struct Ahead {
    Arrivals const& arrivals;
    Column weights;
    Record record;
    float weight;  // of the arrival that starts it; 0 of record 0

    __device__ __forceinline__ Ahead(Layer const& layer, Arrivals const& arrivals, int neuron, Rings&)
        : arrivals(arrivals), weights(Column::of(layer, neuron)), record(arrivals.record(0)), weight(0.0f) {}

    // From record `r` to the next; from the last to nothing.
    __device__ __forceinline__ void step(int r) {
        if (r == arrivals.count) return;
        record = arrivals.record(r + 1);
        weight = weights[record.source];
    }
};

template <>
struct Ahead<CommonArrivals> {
    Record const* records;
    Record* ring;
    int count, lane;
    Record fetched;  // the lane's of the WARP records after those in the ring
    Column weights;
    float coming[AHEAD];
    Record record;
    float weight;

    __device__ __forceinline__ Ahead(Layer const& layer, CommonArrivals const& arrivals, int neuron, Rings& rings)
        : records(arrivals.records),
          ring(rings[walker()]),
          count(arrivals.count),
          lane(neuron % WARP),
          weights(Column::of(layer, neuron)),
          weight(0.0f) {
        ring[lane] = fetch(lane);
        ring[WARP + lane] = fetch(WARP + lane);
        fetched = fetch(RING + lane);
        __syncwarp();
        record = ring[0];
        for (int i = 0; i < AHEAD; i++) coming[i] = weight_of(i + 1);
    }

    __device__ __forceinline__ void step(int r) {
        r++;
        if (r % WARP == 0) {
            __syncwarp();
            ring[slot(r + WARP + lane)] = fetched;
            __syncwarp();
            fetched = fetch(r + RING + lane);
        }
        record = ring[slot(r)];
        weight = coming[0];
        for (int i = 1; i < AHEAD; i++) coming[i - 1] = coming[i];
        coming[AHEAD - 1] = weight_of(r + AHEAD);
    }

    __device__ __forceinline__ Record fetch(int r) const { return records[min(r, count)]; }

    __device__ __forceinline__ float weight_of(int r) const {
        return r <= count ? weights[ring[slot(r)].source] : 0.0f;
    }
};

// Back from a record to the one after record 0; `weighted` if the weights are wanted.
template <class Arrivals, bool weighted>
struct Back {
    Arrivals const& arrivals;
    Column weights;
    Record record;
    float weight;

    __device__ __forceinline__ Back(Layer const& layer, Arrivals const& arrivals, int neuron, int r, Rings&)
        : arrivals(arrivals), weights(Column::of(layer, neuron)) {
        at(r);
    }

    // From record `r`, which is not record 0, to the one before.
    __device__ __forceinline__ void step(int r) { at(r - 1); }

    __device__ __forceinline__ void at(int r) {
        record = arrivals.record(r);
        weight = r > 0 ? weights[record.source] : 0.0f;
    }
};

template <bool weighted>
struct Back<CommonArrivals, weighted> {
    Record const* records;
    Record* ring;
    int lane;
    Record fetched;
    Column weights;
    float coming[AHEAD];
    Record record;
    float weight;

    __device__ __forceinline__ Back(Layer const& layer, CommonArrivals const& arrivals, int neuron, int r,
                                    Rings& rings)
        : records(arrivals.records),
          ring(rings[walker()]),
          lane(neuron % WARP),
          weights(Column::of(layer, neuron)),
          weight(0.0f) {
        int base = r - r % WARP;
        ring[slot(base + lane)] = records[min(base + lane, r)];
        ring[slot(base + WARP + lane)] = fetch(base - WARP + lane);
        fetched = fetch(base - RING + lane);
        __syncwarp();
        record = ring[slot(r)];
        if (!weighted) return;
        weight = weight_of(r);
        for (int i = 0; i < AHEAD; i++) coming[i] = weight_of(r - 1 - i);
    }

    __device__ __forceinline__ void step(int r) {
        if (r % WARP == 0) {
            __syncwarp();
            ring[slot(r + lane)] = fetched;
            __syncwarp();
            fetched = fetch(r - RING - WARP + lane);
        }
        r--;
        record = ring[slot(r)];
        if (!weighted) return;
        weight = coming[0];
        for (int i = 1; i < AHEAD; i++) coming[i - 1] = coming[i];
        coming[AHEAD - 1] = weight_of(r - AHEAD);
    }

    __device__ __forceinline__ Record fetch(int r) const { return records[max(r, 0)]; }

    __device__ __forceinline__ float weight_of(int r) const {
        return r > 0 ? weights[ring[slot(r)].source] : 0.0f;
    }
};
