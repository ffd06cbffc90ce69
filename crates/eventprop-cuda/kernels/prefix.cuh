// A warp's neurons through their arrivals with a lane an arrival: what lies between is linear, so the states at all of
// them are a sum over those before, taken in five exchanges for WARP arrivals (Hillis & Steele 1986).
#pragma once
#include "arrivals.cuh"

// Threads of a block, at most: WARPS of `src/by_arrival.rs`.
#define ARRIVAL_THREADS (8 * WARP)

// Values of neighbouring neurons, which are read and written at once.
template <int count>
struct __align__(count * 4) Several {
    float of[count];
};

// Those of a row of neurons, from `neuron` on; 0 where there is no row.
template <int count>
__device__ __forceinline__ Several<count> weights_of(Layer const& layer, int source, int neuron) {
    if (source >= 0) return *(Several<count> const*)(layer.weights + (size_t)source * layer.stride + neuron);
    Several<count> none;
    for (int i = 0; i < count; i++) none.of[i] = 0.0f;
    return none;
}

// Visits the records of a sample, a lane each, with the weights of their arrivals: visit(r, record, weights). After the
// last come some in which nothing happens.
template <int count, class Visit>
__device__ __forceinline__ void in_windows(Layer const& layer, CommonArrivals const& arrivals, int neuron, Visit visit) {
    auto fetch = [&](int r) { return r > arrivals.count ? no_record() : arrivals.record(r); };
    int lane = threadIdx.x;
    Record record = fetch(lane), next = fetch(WARP + lane);
    Several<count> weights = weights_of<count>(layer, record.source, neuron);
    for (int base = 0; base <= arrivals.count; base += WARP) {
        // Both are on their way while this window is dealt with.
        Several<count> coming = weights_of<count>(layer, next.source, neuron);
        Record later = fetch(base + 2 * WARP + lane);
        visit(base + lane, record, weights);
        record = next;
        next = later;
        weights = coming;
    }
}

// Neurons between two windows.
template <int count>
struct States {
    float u[count], current[count];
};

// Neurons in the interval of a lane's record: just after its arrival, and at its end.
template <int count>
struct Passage {
    float u[count], current[count], u_end[count], current_end[count];

    // Takes the states to the end of the window.
    __device__ __forceinline__ States<count> last() const {
        States<count> found;
        for (int i = 0; i < count; i++) {
            found.u[i] = __shfl_sync(FULL_WARP, u_end[i], WARP - 1);
            found.current[i] = __shfl_sync(FULL_WARP, current_end[i], WARP - 1);
        }
        return found;
    }
};

// From the states before a window through it, if nobody spikes.
template <int count>
__device__ __forceinline__ Passage<count> pass(States<count> const& before, Record const& record,
                                               Several<count> const& weights) {
    int lane = threadIdx.x;
    // Of the records up to the lane's: what they make of a state before them, and of none.
    Interval step = {record.mem, record.syn, record.drive};
    Passage<count> found;
    for (int i = 0; i < count; i++) {
        found.u_end[i] = weights.of[i] * record.drive;
        found.current_end[i] = weights.of[i] * record.syn;
    }
#pragma unroll
    for (int reach = 1; reach < WARP; reach *= 2) {
        Interval earlier = {__shfl_up_sync(FULL_WARP, step.mem, reach), __shfl_up_sync(FULL_WARP, step.syn, reach),
                            __shfl_up_sync(FULL_WARP, step.drive, reach)};
        for (int i = 0; i < count; i++) {
            float u = __shfl_up_sync(FULL_WARP, found.u_end[i], reach);
            float current = __shfl_up_sync(FULL_WARP, found.current_end[i], reach);
            if (lane < reach) continue;
            found.u_end[i] = fmaf(u, step.mem, fmaf(current, step.drive, found.u_end[i]));
            found.current_end[i] = fmaf(current, step.syn, found.current_end[i]);
        }
        if (lane >= reach) step = then(earlier, step);
    }
    for (int i = 0; i < count; i++) {
        float u = before.u[i], current = before.current[i];
        found.u_end[i] = fmaf(u, step.mem, fmaf(current, step.drive, found.u_end[i]));
        found.current_end[i] = fmaf(current, step.syn, found.current_end[i]);
        found.u[i] = __shfl_up_sync(FULL_WARP, found.u_end[i], 1);
        found.current[i] = __shfl_up_sync(FULL_WARP, found.current_end[i], 1);
        if (lane == 0) {
            found.u[i] = u;
            found.current[i] = current;
        }
        found.current[i] += weights.of[i];
    }
    return found;
}
