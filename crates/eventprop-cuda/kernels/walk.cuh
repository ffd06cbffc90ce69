// Walks along what arrives, forwards and back: records and weights of the arrivals, fetched before they are needed.
// A warp must not wait for memory at every arrival, nor spend more instructions on the way than on the neuron.
#pragma once
#include "arrivals.cuh"

// Warps of a block that walks, at most.
#define WALKERS 4
// Arrivals whose weights are fetched at once, while those before are visited.
#define LOT 4
// A lot's records as bits.
#define WHOLE_LOT ((1u << LOT) - 1)

// Records of a warp's sample: WARP of them around the one at hand and WARP on the way.
#define RING (2 * WARP)
struct __align__(16) Ring {
    Record records[RING];
    int sources[RING];

    // Puts the record of lane r % WARP where `r` says.
    __device__ __forceinline__ void put(int r, Record const& record) {
        records[r & (RING - 1)] = record;
        sources[r & (RING - 1)] = record.source;
    }
};
typedef Ring Rings[WALKERS];

// The warp's number in its block.
__device__ __forceinline__ int walker() { return threadIdx.y * (blockDim.x / WARP) + threadIdx.x / WARP; }

// A neuron's column of a matrix, of weights by source for one. In bytes, that an address is one multiplication.
struct Column {
    char const* first;
    unsigned row;

    static __device__ __forceinline__ Column of(float const* matrix, int stride, int neuron) {
        return {(char const*)(matrix + neuron), stride * (unsigned)sizeof(float)};
    }

    // 0 where there is no row: nobody sent record 0.
    __device__ __forceinline__ float operator[](int place) const {
        return place < 0 ? 0.0f : *(float const*)(first + (size_t)(unsigned)place * row);
    }

    // Those of the records from `base` on.
    __device__ __forceinline__ void fetch(Ring const& ring, int base, float* weights) const {
        int const* sources = ring.sources + (base & (RING - 1));
        for (int i = 0; i < LOT; i++) weights[i] = (*this)[sources[i]];
    }
};

// What stands where there is no record: nothing arrives and no time passes.
__device__ __forceinline__ Record no_record() { return {1.0f, 1.0f, 0.0f, NO_EVENT}; }

// Visits records with the weights of their arrivals: visit(r, record, weight), or still(r, weight) for one of several
// arrivals of a moment, whose interval has no length. Neurons with delays have each their own way; theirs are not
// fetched ahead.
template <class Arrivals>
struct Walk {
    Layer const& layer;
    Arrivals const& arrivals;
    int neuron;

    __device__ __forceinline__ Walk(Layer const& layer, Arrivals const& arrivals, int neuron, Rings&)
        : layer(layer), arrivals(arrivals), neuron(neuron) {}

    // From record 0 to the last, and perhaps some in which nothing happens.
    template <class Visit, class Still>
    __device__ __forceinline__ void forward(Visit visit, Still) {
        Column column = Column::of(layer.weights, layer.stride, neuron);
        for (int r = 0; r <= arrivals.count; r++) {
            Record record = arrivals.record(r);
            visit(r, record, column[record.source]);
        }
    }

    // From record `top`, or some after it, to the first arrival's, or record 0. `weighted` if weights are wanted.
    template <bool weighted, class Visit, class Still>
    __device__ __forceinline__ void back(int top, Visit visit, Still) {
        Column column = Column::of(layer.weights, layer.stride, neuron);
        for (int r = top; r > 0; r--) {
            Record record = arrivals.record(r);
            visit(r, record, weighted ? column[record.source] : 0.0f);
        }
    }
};

template <>
struct Walk<CommonArrivals> {
    Record const* records;
    int count, lane;
    Ring& ring;
    Column column;

    __device__ __forceinline__ Walk(Layer const& layer, CommonArrivals const& arrivals, int neuron, Rings& rings)
        : records(arrivals.records),
          count(arrivals.count),
          lane(neuron % WARP),
          ring(rings[walker()]),
          column(Column::of(layer.weights, layer.stride, neuron)) {}

    template <class Visit, class Still>
    __device__ __forceinline__ void forward(Visit visit, Still still) {
        unsigned stills = put(0, fetch(lane));
        unsigned stills_after = put(WARP, fetch(WARP + lane));
        Record fetched = fetch(RING + lane);
        __syncwarp();
        float coming[LOT];
        column.fetch(ring, 0, coming);
        for (int base = 0; base <= count; base += LOT) {
            if (base % WARP == 0 && base > 0) {
                __syncwarp();
                stills = stills_after;
                stills_after = put(base + WARP, fetched);
                __syncwarp();
                fetched = fetch(base + RING + lane);
            }
            if (base % WARP == 0 && stills == FULL_WARP && base + WARP <= count) {
                float weights[WARP];
                int const* sources = ring.sources + (base & (RING - 1));
#pragma unroll
                for (int i = 0; i < WARP; i++) weights[i] = column[sources[i]];
#pragma unroll
                for (int i = 0; i < WARP; i++) still(base + i, weights[i]);
                base += WARP - LOT;
                column.fetch(ring, base + LOT, coming);
                continue;
            }
            float weights[LOT];
            for (int i = 0; i < LOT; i++) weights[i] = coming[i];
            column.fetch(ring, base + LOT, coming);
            if ((stills >> base % WARP & WHOLE_LOT) == WHOLE_LOT) {
                for (int i = 0; i < LOT; i++) still(base + i, weights[i]);
                continue;
            }
            Record const* at = ring.records + (base & (RING - 1));
#pragma unroll
            for (int i = 0; i < LOT; i++) visit(base + i, at[i], weights[i]);
        }
    }

    template <bool weighted, class Visit, class Still>
    __device__ __forceinline__ void back(int top, Visit visit, Still still) {
        int first = max(top, 0) / WARP * WARP;
        unsigned stills = put(first, fetch(first + lane));
        unsigned stills_before = put(first + WARP, fetch(first - WARP + lane));
        Record fetched = fetch(first - RING + lane);
        __syncwarp();
        float coming[LOT];
        int base = max(top, 0) / LOT * LOT;
        if (weighted) column.fetch(ring, base, coming);
        for (; base >= 0; base -= LOT) {
            if (!weighted && base % WARP == WARP - LOT && stills == FULL_WARP) {
                base -= WARP - LOT;
#pragma unroll
                for (int i = WARP - 1; i >= 0; i--) still(base + i, 0.0f);
            } else {
                float weights[LOT];
                for (int i = 0; weighted && i < LOT; i++) weights[i] = coming[i];
                if (weighted) column.fetch(ring, base - LOT, coming);
                Record const* at = ring.records + (base & (RING - 1));
#pragma unroll
                for (int i = LOT - 1; i >= 0; i--) visit(base + i, at[i], weighted ? weights[i] : 0.0f);
            }
            if (base % WARP == 0) {
                __syncwarp();
                stills = stills_before;
                stills_before = put(base, fetched);
                __syncwarp();
                fetched = fetch(base - RING - WARP + lane);
            }
        }
    }

    // Puts a record a lane into the half of the ring where `base` lies, and says which have no length.
    __device__ __forceinline__ unsigned put(int base, Record const& record) {
        ring.put(base + lane, record);
        return __ballot_sync(FULL_WARP, is_empty(record));
    }

    __device__ __forceinline__ Record fetch(int r) const {
        return r < 0 || r > count ? no_record() : records[r];
    }
};
