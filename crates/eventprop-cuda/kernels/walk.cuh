// Walks along what arrives, forwards and back: records and weights of the arrivals, fetched before they are needed.
// A warp must not wait for memory at every arrival, nor spend more instructions on the way than on the neuron.
#pragma once
#include "arrivals.cuh"

// Warps of a block that walks, at most.
#define WALKERS 4
// Arrivals whose weights are fetched at once, while those before are visited.
#define LOT 4
// The same where nothing else is done with them than to add them up.
#define MANY 16

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
    template <int count>
    __device__ __forceinline__ void fetch(Ring const& ring, int base, float (&weights)[count]) const {
        int const* sources = ring.sources + (base & (RING - 1));
#pragma unroll
        for (int i = 0; i < count; i++) weights[i] = (*this)[sources[i]];
    }
};

// The arrival with which a voltage that turns at the end of record `r` moves: the first of that moment that the neuron
// hears; 0 if there is none. In the matrix of a convolution, or of several layers, there are others.
template <class Arrivals>
__device__ __forceinline__ int mover_after(Layer const& layer, Arrivals const& arrivals, int neuron, int r) {
    Column column = Column::of(layer.weights, layer.stride, neuron);
    while (++r <= arrivals.count) {
        if (column[arrivals.source(r)] != 0.0f) return r;
        if (arrivals.start(r + 1) > arrivals.start(r)) break;
    }
    return 0;
}

// Visits records with the weights of their arrivals: visit(r, record, weight), or still(r, weight) for one of several
// arrivals of a moment, whose interval has no length. Neurons with delays, or with time constants of their own, have each
// their own way; theirs are not fetched ahead.
template <class Arrivals>
struct Walk {
    Layer const& layer;
    Arrivals const& arrivals;
    int neuron;

    __device__ __forceinline__ Walk(Layer const& layer, Arrivals const& arrivals, int neuron, Rings&)
        : layer(layer), arrivals(arrivals), neuron(neuron) {}

    // From record 0 to the last, and perhaps some in which nothing happens. `unrolled` unless a visit is so much that
    // one copy of it is enough.
    template <bool unrolled = true, class Visit, class Still>
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

    template <bool unrolled = true, class Visit, class Still>
    __device__ __forceinline__ void forward(Visit visit, Still still) {
        ring.put(lane, fetch(lane));
        ring.put(WARP + lane, fetch(WARP + lane));
        Record fetched = fetch(RING + lane);
        __syncwarp();
        float coming[LOT];
        column.fetch(ring, 0, coming);
        for (int base = 0; base <= count; base += LOT) {
            if (base % WARP == 0) {
                if (base > 0) {
                    __syncwarp();
                    ring.put(base + WARP + lane, fetched);
                    __syncwarp();
                    fetched = fetch(base + RING + lane);
                }
                if (base + WARP <= count && is_still(base)) {
                    add_still(base, still);
                    base += WARP - LOT;
                    column.fetch(ring, base + LOT, coming);
                    continue;
                }
            }
            Record const* at = ring.records + (base & (RING - 1));
            if (unrolled) {
                float weights[LOT];
                for (int i = 0; i < LOT; i++) weights[i] = coming[i];
                column.fetch(ring, base + LOT, coming);
#pragma unroll
                for (int i = 0; i < LOT; i++) visit(base + i, at[i], weights[i]);
            } else {
#pragma unroll 1
                for (int i = 0; i < LOT; i++) {
                    float weight = coming[0];
                    for (int next = 1; next < LOT; next++) coming[next - 1] = coming[next];
                    coming[LOT - 1] = column[ring.sources[(base + LOT + i) & (RING - 1)]];
                    visit(base + i, at[i], weight);
                }
            }
        }
    }

    // A warp's number of arrivals of one moment.
    template <class Still>
    __device__ __forceinline__ void add_still(int first, Still still) const {
        for (int base = first; base < first + WARP; base += MANY) {
            float weights[MANY];
            column.fetch(ring, base, weights);
#pragma unroll
            for (int i = 0; i < MANY; i++) still(base + i, weights[i]);
        }
    }

    template <bool weighted, class Visit, class Still>
    __device__ __forceinline__ void back(int top, Visit visit, Still still) {
        int chunk = max(top, 0) / WARP * WARP;
        ring.put(chunk + lane, fetch(chunk + lane));
        ring.put(chunk + WARP + lane, fetch(chunk - WARP + lane));
        Record fetched = fetch(chunk - RING + lane);
        __syncwarp();
        float coming[LOT];
        int base = max(top, 0) / LOT * LOT;
        if (weighted) column.fetch(ring, base, coming);
        for (;;) {
            if (!weighted && base == chunk + WARP - LOT && is_still(chunk)) {
#pragma unroll
                for (int i = WARP - 1; i >= 0; i--) still(chunk + i, 0.0f);
                base = chunk;
            } else {
                for (;; base -= LOT) {
                    float weights[LOT];
                    for (int i = 0; weighted && i < LOT; i++) weights[i] = coming[i];
                    if (weighted) column.fetch(ring, base - LOT, coming);
                    Record const* at = ring.records + (base & (RING - 1));
#pragma unroll
                    for (int i = LOT - 1; i >= 0; i--) visit(base + i, at[i], weighted ? weights[i] : 0.0f);
                    if (base == chunk) break;
                }
            }
            if (chunk == 0) break;
            __syncwarp();
            // Other lanes read it after the next such barrier. Weights that are wanted are fetched before that, but after
            // a barrier of the visits: errors are added up every SUMMED arrivals (trace.cuh).
            ring.put(chunk + lane, fetched);
            fetched = fetch(chunk - RING - WARP + lane);
            base -= LOT;
            chunk -= WARP;
        }
    }

    // Whether none of the ring's records from `chunk` on, a lane's each, has a length.
    __device__ __forceinline__ bool is_still(int chunk) const {
        return __ballot_sync(FULL_WARP, is_empty(ring.records[(chunk & (RING - 1)) + lane])) == FULL_WARP;
    }

    __device__ __forceinline__ Record fetch(int r) const {
        return r < 0 || r > count ? no_record() : records[r];
    }
};
